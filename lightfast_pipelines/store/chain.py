"""Walks relationships from what broke to the change that caused it, and to what ended it.

Defines which edges lead to a cause and which to an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Step:
    """A kind of edge that a walk follows: its type, its categories, and whether from subject to object."""

    start: str
    type: str
    forward: bool
    end: str


@dataclass(frozen=True, slots=True)
class ChainLink:
    """An entity that a walk reached, `depth` edges from its start; the start itself has no `type`.

    `author` is whose work it is, `changed_by` who gave it its current status.
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
    Step("alert", "references", True, "issue"),
    Step("issue", "caused_by", True, "release"),
    Step("issue", "caused_by", True, "deployment"),
    Step("release", "contains", True, "commit"),
    Step("deployment", "deploys", True, "commit"),
    Step("commit", "deploys", False, "deployment"),
    Step("commit", "merges_as", False, "pull_request"),
    Step("pull_request", "tracked_in", False, "issue"),
    Step("pull_request", "fixes", True, "issue"),
)
TO_THE_END = (
    Step("deployment", "caused_by", False, "issue"),
    Step("issue", "fixes", False, "pull_request"),
    Step("issue", "fixes", False, "commit"),
    Step("issue", "tracked_in", True, "pull_request"),
    Step("issue", "resolves", False, "pull_request"),
    Step("issue", "resolves", False, "commit"),
    Step("issue", "resolves", False, "release"),
    Step("commit", "reverts", False, "commit"),
    Step("pull_request", "tracked_in", False, "issue"),
    Step("pull_request", "merges_as", True, "commit"),
    Step("release", "contains", True, "commit"),
    Step("commit", "deploys", False, "deployment"),
)
LONGEST_WALK = 6


def last_alert(conn: Connection, workspace: int) -> str | None:
    """Key of the alert that was triggered last."""
    row = conn.execute(
        """
        SELECT subject_key FROM lightfast.observations
        WHERE workspace_id = %s AND source_type = 'event-alert.triggered'
        ORDER BY occurred_at DESC, source_id LIMIT 1
        """,
        (workspace,),
    ).fetchone()
    return None if row is None else str(row[0])


def walk(conn: Connection, workspace: int, start: str, steps: Sequence[Step]) -> list[ChainLink]:
    """Every entity that these steps reach from `start` (a key), each after the one it was reached from.

    No path visits an entity twice or is longer than LONGEST_WALK edges.
    """
    rows = conn.execute(
        """
        WITH RECURSIVE walk AS (
          SELECT id, key, category, value, 0 AS depth, '' AS type, true AS forward, ARRAY[key] AS path
          FROM lightfast.entities WHERE workspace_id = %(workspace)s AND key = %(start)s
          UNION ALL
          SELECT n.id, n.key, n.category, n.value, w.depth + 1, s.type, s.forward,
                 w.path || s.type || n.key
          FROM walk w
          JOIN unnest(%(starts)s::text[], %(types)s::text[], %(forward)s::boolean[], %(ends)s::text[])
            AS s (beginning, type, forward, category) ON s.beginning = w.category
          -- Each direction by its own index.
          CROSS JOIN LATERAL (
            SELECT r.object_id AS id FROM lightfast.relationships r
            WHERE s.forward AND r.subject_id = w.id AND r.type = s.type
              AND r.workspace_id = %(workspace)s
            UNION ALL
            SELECT r.subject_id FROM lightfast.relationships r
            WHERE NOT s.forward AND r.object_id = w.id AND r.type = s.type
              AND r.workspace_id = %(workspace)s
          ) r
          JOIN lightfast.entities n ON n.id = r.id AND n.category = s.category
          WHERE w.depth < %(longest)s AND n.key <> ALL (w.path)
        )
        SELECT w.depth, w.type, w.forward, w.category, w.key, w.value, p.author, t.state_value,
               doer.display_name
        FROM walk w
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
            "longest": LONGEST_WALK,
            "starts": [step.start for step in steps],
            "types": [step.type for step in steps],
            "forward": [step.forward for step in steps],
            "ends": [step.end for step in steps],
        },
    ).fetchall()
    return _once_on_the_longest_path([ChainLink(*row) for row in rows])


def _once_on_the_longest_path(links: Sequence[ChainLink]) -> list[ChainLink]:
    """Each entity once, on its longest path: a merge commit below its pull request, not next to it."""
    deepest: dict[str, int] = {}
    for link in links:
        deepest[link.key] = max(link.depth, deepest.get(link.key, 0))
    kept: list[ChainLink] = []
    dropped: int | None = None
    for link in links:
        if dropped is not None and link.depth > dropped:
            continue
        dropped = link.depth if link.depth < deepest[link.key] else None
        if dropped is None:
            kept.append(link)
    return kept


def cause_stated_by(conn: Connection, workspace: int, key: str) -> str | None:
    """source_id of the first observation that states what caused the entity."""
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
