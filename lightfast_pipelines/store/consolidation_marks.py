"""Marks the workspaces that changed since they were last consolidated."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.store.database import Connection


def mark_changed(conn: Connection, workspaces: Sequence[int]) -> None:
    """Marks these workspaces as changed, so that their actors and clusters are decided again."""
    if workspaces:
        conn.execute(
            """
            INSERT INTO lightfast.consolidation_marks (workspace_id, changes)
            SELECT id, 1 FROM unnest(%s::bigint[]) AS k (id) ORDER BY id
            ON CONFLICT (workspace_id) DO UPDATE SET changes = consolidation_marks.changes + 1
            """,
            (sorted(set(workspaces)),),
        )
