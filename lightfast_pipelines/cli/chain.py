"""From a Sentry alert to the change that caused it, and to what ended it: a walk over relationships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Step:
    """The `depth`-th edge of a walk: its type, whether from its subject on, what must be at its end."""

    depth: int
    type: str
    forward: bool
    category: str


@dataclass(frozen=True, slots=True)
class Link:
    """What a walk has reached; `type` is empty at its beginning.

    `author` is whose work it is, `changed_by` who brought it into its status.
    """

    depth: int
    type: str
    forward: bool
    category: str
    key: str
    name: str | None
    author: str | None
    status: str | None
    changed_by: str | None


TO_THE_CAUSE = (
    Step(1, "references", True, "issue"),
    Step(2, "caused_by", True, "release"),
    Step(3, "contains", True, "commit"),
    Step(4, "deploys", False, "deployment"),
    Step(4, "merges_as", False, "pull_request"),
    Step(5, "tracked_in", False, "issue"),
)
TO_THE_END = (
    Step(1, "resolves", False, "pull_request"),
    Step(2, "tracked_in", False, "issue"),
    Step(2, "merges_as", True, "commit"),
    Step(3, "deploys", False, "deployment"),
)


def last_alert(conn: Connection, workspace: int) -> str | None:
    """Key of the rule about issues that was met last."""
    row = conn.execute(
        """
        SELECT subject_key FROM lightfast.observations
        WHERE workspace_id = %s AND source_type = 'event-alert.triggered'
        ORDER BY occurred_at DESC, source_id LIMIT 1
        """,
        (workspace,),
    ).fetchone()
    return None if row is None else str(row[0])


def walk(conn: Connection, workspace: int, start: str, steps: Sequence[Step]) -> list[Link]:
    """All that can be reached from `start` (a key) by these steps, each under what it was reached from."""
    rows = conn.execute(
        """
        WITH RECURSIVE way AS (
          SELECT id, key, category, value, 0 AS depth, '' AS type, true AS forward, ARRAY[key] AS path
          FROM lightfast.entities WHERE workspace_id = %(workspace)s AND key = %(start)s
          UNION ALL
          SELECT n.id, n.key, n.category, n.value, s.depth, s.type, s.forward, w.path || s.type || n.key
          FROM way w
          JOIN unnest(%(depths)s::int[], %(types)s::text[], %(forward)s::boolean[], %(ends)s::text[])
            AS s (depth, type, forward, category) ON s.depth = w.depth + 1
          JOIN lightfast.relationships r ON r.workspace_id = %(workspace)s AND r.type = s.type
           AND w.id = CASE WHEN s.forward THEN r.subject_id ELSE r.object_id END
          JOIN lightfast.entities n ON n.category = s.category
           AND n.id = CASE WHEN s.forward THEN r.object_id ELSE r.subject_id END
        )
        SELECT w.depth, w.type, w.forward, w.category, w.key, w.value, p.author, t.state_value,
               doer.display_name
        FROM way w
        LEFT JOIN lightfast.temporal_states t ON t.workspace_id = %(workspace)s
         AND t.entity_id = w.key AND t.state_type = 'status' AND t.is_current
        LEFT JOIN lightfast.actor_identities i ON i.id = t.changed_by_identity_id
        LEFT JOIN lightfast.actors doer ON doer.id = i.actor_id
        LEFT JOIN LATERAL (
          SELECT p.author_name AS author FROM lightfast.observations o
          JOIN lightfast.observation_people p ON p.observation_id = o.id
          WHERE o.workspace_id = %(workspace)s AND o.subject_key = w.key AND p.author_id IS NOT NULL
            AND o.source_type LIKE ANY ('{pull-request.%%,issue.%%}')
          ORDER BY o.occurred_at, o.source_id LIMIT 1
        ) p ON true
        ORDER BY w.path
        """,
        {
            "workspace": workspace,
            "start": start,
            "depths": [step.depth for step in steps],
            "types": [step.type for step in steps],
            "forward": [step.forward for step in steps],
            "ends": [step.category for step in steps],
        },
    ).fetchall()
    return [Link(*row) for row in rows]


def cause_stated_by(conn: Connection, workspace: int, key: str) -> str | None:
    """source_id of the first observation that says what the thing was caused by."""
    row = conn.execute(
        """
        SELECT o.source_id FROM lightfast.relationship_sources r
        JOIN lightfast.observations o ON o.id = r.observation_id
        JOIN lightfast.entities e ON e.id = r.subject_id
        WHERE o.workspace_id = %s AND e.key = %s AND r.type = 'caused_by'
        ORDER BY r.confidence DESC, o.occurred_at, o.source_id LIMIT 1
        """,
        (workspace, key),
    ).fetchone()
    return None if row is None else str(row[0])
