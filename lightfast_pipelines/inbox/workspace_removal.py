"""Removes a workspace with what was derived for it.

Deliveries are inputs and stay, unless that is asked for; then those go that reached no other workspace.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.inbox.requeue import DERIVED
from lightfast_pipelines.store import activity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.links import Workspace
from lightfast_pipelines.store.locks import change_routing

JOBS = ("capture", "embeddings", "clusters", "consolidation", "profiles", "summaries")
"""Whose locks the caller holds: none of them then writes rows of a workspace that is going."""


@dataclass(frozen=True, slots=True)
class Removed:
    """`deliveries` were removed; `kept` reached no other workspace and wait for a link.
    `organisation`: whether it was the last of its organisation, whose connections then went too."""

    observations: int
    links: int
    deliveries: int
    kept: int
    organisation: bool


def remove_workspace(
    conn: Connection, workspace: Workspace, *, deliveries: bool, actor: str
) -> Removed:
    """Removes it in one transaction; the caller commits. `deliveries` needs the migrator's rights."""
    change_routing(conn)
    links = _count(
        conn, "SELECT count(*) FROM lightfast.integrations WHERE workspace_id = %s", workspace.id
    )
    last = not _count(
        conn,
        "SELECT count(*) FROM lightfast.workspaces WHERE org_id = %s AND id <> %s",
        workspace.org_id,
        workspace.id,
    )
    conn.execute(
        """
        CREATE TEMPORARY TABLE left_alone ON COMMIT DROP AS
        SELECT p.id, p.received_at, p.partition_date FROM lightfast.raw_payloads p
        WHERE (p.id IN (SELECT raw_payload_id FROM lightfast.outcomes WHERE workspace_id = %(id)s)
               OR (%(last)s AND p.org_id = %(org)s))
          AND NOT EXISTS (SELECT FROM lightfast.outcomes o
                          WHERE o.raw_payload_id = p.id AND o.workspace_id <> %(id)s)
        """,
        {"id": workspace.id, "org": workspace.org_id, "last": last},
    )
    observations = _derived(conn, workspace)
    conn.execute("DELETE FROM lightfast.workspaces WHERE id = %s", (workspace.id,))
    _organisation(conn, workspace, last)
    alone = _count(conn, "SELECT count(*) FROM left_alone")
    if deliveries:
        _payloads(conn)
    else:
        # Decided anew, so that each says that it waits for a link.
        conn.execute(
            """
            INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
            SELECT id, partition_date FROM left_alone a
            WHERE EXISTS (SELECT FROM lightfast.raw_bodies b
                          WHERE b.raw_payload_id = a.id AND b.received_at = a.received_at)
            ON CONFLICT DO NOTHING
            """
        )
    gone, kept = (alone, 0) if deliveries else (0, alone)
    activity.record(
        conn,
        "workspace.removed",
        actor,
        f"workspace {workspace.slug} was removed with {observations} observations"
        f" and {gone} deliveries",
        org_id=workspace.org_id,
        subject=f"workspace {workspace.org_id}/{workspace.slug}",
        detail={"observations": observations, "deliveries": gone, "kept": kept},
    )
    return Removed(observations, links, gone, kept, last)


def _derived(conn: Connection, workspace: Workspace) -> int:
    """Table by table and by the workspace, which is faster than each row's own cascade."""
    rows = conn.execute(
        """
        SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'lightfast' AND column_name = 'workspace_id' AND table_name = ANY(%s)
        """,
        (list(DERIVED),),
    ).fetchall()
    ours = {name for (name,) in rows}
    removed = 0
    for table in DERIVED:
        if table in ours:
            done = conn.execute(
                f"DELETE FROM lightfast.{table} WHERE workspace_id = %s", (workspace.id,)
            )
            removed = done.rowcount if table == "observations" else removed
    return removed


def _organisation(conn: Connection, workspace: Workspace, last: bool) -> None:
    """Resources that nobody links any more are free for another organisation. With its last workspace
    an organisation's people and connections go; else who is who is decided anew."""
    if last:
        for table in ("actor_identities", "actors", "installations", "place_names"):
            conn.execute(f"DELETE FROM lightfast.{table} WHERE org_id = %s", (workspace.org_id,))
        return
    conn.execute(
        """
        DELETE FROM lightfast.resources r
        WHERE r.org_id = %s
          AND NOT EXISTS (SELECT FROM lightfast.integrations i WHERE i.resource_id = r.id)
        """,
        (workspace.org_id,),
    )
    conn.execute(
        """
        UPDATE lightfast.consolidation_marks m SET changes = m.changes + 1
        FROM lightfast.workspaces w WHERE w.id = m.workspace_id AND w.org_id = %s
        """,
        (workspace.org_id,),
    )


def _payloads(conn: Connection) -> None:
    conn.execute(
        """
        DELETE FROM lightfast.raw_bodies b USING left_alone a
        WHERE b.raw_payload_id = a.id AND b.received_at = a.received_at
        """
    )
    conn.execute("DELETE FROM lightfast.raw_payloads p USING left_alone a WHERE p.id = a.id")


def _count(conn: Connection, query: str, *parameters: object) -> int:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])
