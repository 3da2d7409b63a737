"""Reads the observations, files, strong edges and states that clusters are decided from.

`domain/consolidation.py` decides, `cluster_rows.py` writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.cluster_status import (
    ITEMS,
    ClusterStatus,
    ItemStatus,
    decide_status,
    is_commit,
    is_item,
)
from lightfast_pipelines.domain.consolidation import Cluster, Happening
from lightfast_pipelines.domain.threads import STRONG, ThreadEdge
from lightfast_pipelines.domain.work_marks import MOST_TEXT, NO_MARKS, read_marks
from lightfast_pipelines.store.database import Connection

_COLUMNS = """
SELECT o.id, o.source_id, o.subject_key, extract(epoch FROM o.occurred_at)::float8, o.title,
       {text},
       coalesce(i.actor_id, i.source || ':' || i.source_id), i.source || ':' || i.source_id,
       m.cluster_id, m.thread_key, m.rule_version, m.is_provisional,
       (m.subject_key, m.author_identity_id, m.occurred_at)
         IS NOT DISTINCT FROM (o.subject_key, o.author_identity_id, o.occurred_at)
"""

_OBSERVATIONS = f"""
{_COLUMNS.format(text="left(o.content, %(most_text)s)")}
FROM lightfast.observation_facts o
LEFT JOIN lightfast.actor_identities i ON i.id = coalesce(o.author_identity_id, o.actor_identity_id)
LEFT JOIN lightfast.cluster_members m ON m.observation_id = o.id
WHERE o.workspace_id = %(workspace)s
  AND NOT EXISTS (SELECT FROM lightfast.stage_failures f
                  WHERE f.observation_id = o.id AND f.stage = 'clusters')
ORDER BY o.occurred_at, o.source_id
"""

# Without texts: they are read for their marks, which a provisional cluster has no use for. Both took a
# seventh of its time. Each LIMIT makes Postgres look up a row. Without it, a cursor reads the whole
# workspace in the order of time, which promises the first rows soonest.
_OBSERVATIONS_OF_SOME = f"""
{_COLUMNS.format(text="NULL")}
FROM unnest(%(ids)s::bigint[]) AS asked (id)
CROSS JOIN LATERAL (SELECT * FROM lightfast.observation_facts o WHERE o.id = asked.id LIMIT 1) o
LEFT JOIN LATERAL (
  SELECT * FROM lightfast.actor_identities i
  WHERE i.id = coalesce(o.author_identity_id, o.actor_identity_id) LIMIT 1
) i ON true
LEFT JOIN LATERAL (
  SELECT * FROM lightfast.cluster_members m WHERE m.observation_id = asked.id LIMIT 1
) m ON true
WHERE o.workspace_id = %(workspace)s
ORDER BY o.occurred_at, o.source_id
"""

_FILES = """
SELECT x.observation_id, e.key
FROM lightfast.observation_entities x JOIN lightfast.entities e ON e.id = x.entity_id
WHERE e.workspace_id = %(workspace)s AND e.category = 'file'
"""

_FILES_OF_SOME = """
SELECT x.observation_id, e.key
FROM lightfast.observation_entities x CROSS JOIN LATERAL (
  SELECT e.key, e.category FROM lightfast.entities e WHERE e.id = x.entity_id LIMIT 1
) e
WHERE x.observation_id = ANY(%(ids)s::bigint[]) AND e.category = 'file'
"""

_LINKS = """
SELECT s.key, r.type, t.key
FROM lightfast.relationships r
JOIN lightfast.entities s ON s.id = r.subject_id
JOIN lightfast.entities t ON t.id = r.object_id
WHERE r.workspace_id = %(workspace)s AND r.type = ANY(%(types)s)
"""


_ITEMS = """
SELECT s.entity_id, s.state_value, extract(epoch FROM s.valid_from)::float8
FROM lightfast.temporal_states s
WHERE s.workspace_id = %s AND s.is_current AND s.entity_type = ANY(%s)
  AND (s.state_type = 'status' OR (s.state_type = 'existence' AND s.state_value = 'deleted'))
-- A deletion ends the status, unless it states one itself.
ORDER BY s.state_type DESC
"""

# An event that was received before it happened has a wrong clock: a single commit of the year 2038
# would close all other work. If the latest thousand are all such events, the latest one counts.
_CLOCK = """
SELECT extract(epoch FROM coalesce(
  (SELECT o.occurred_at
   FROM (SELECT o.occurred_at, o.recorded_at FROM lightfast.observation_facts o
         WHERE o.workspace_id = %(workspace)s ORDER BY o.occurred_at DESC LIMIT 1000) o
   WHERE o.occurred_at <= o.recorded_at + interval '1 day'
   ORDER BY o.occurred_at DESC LIMIT 1),
  (SELECT max(o.occurred_at) FROM lightfast.observation_facts o WHERE o.workspace_id = %(workspace)s)
))::float8
"""


@dataclass(frozen=True, slots=True)
class CurrentMembership:
    """The cluster of an observation as the table has it now; None if it has none.

    `is_true_copy`: what the row repeats of the observation is what that says now. It is not if capture
    changed it while the row was being written.
    """

    cluster_id: str | None
    thread_key: str | None
    rule_version: int | None
    is_provisional: bool | None
    is_true_copy: bool


@dataclass(frozen=True, slots=True)
class Material:
    """Three parallel lists, ordered by (occurred_at, source_id)."""

    ids: list[int]
    happenings: list[Happening]
    memberships: list[CurrentMembership]


def read_happenings(
    conn: Connection, workspace_id: int, ids: Sequence[int] | None = None
) -> Material:
    """The observations with these ids, or all of the workspace's except those that failed on their own.

    One of the latter would make the decision about the whole workspace fail. Only if all are read do
    they have marks.
    """
    parameters = {
        "workspace": workspace_id,
        "ids": None if ids is None else list(ids),
        "most_text": MOST_TEXT,
    }
    names: dict[str, str] = {}
    files: dict[int, list[str]] = defaultdict(list)
    with conn.cursor("lightfast_files") as cursor:
        cursor.itersize = 20_000
        query = _FILES if ids is None else _FILES_OF_SOME
        for observation, key in cursor.execute(query, parameters):
            # A path occurs many times: keep one string of it in memory.
            files[observation].append(names.setdefault(key, key))
    material = Material([], [], [])
    with conn.cursor("lightfast_happenings") as cursor:
        cursor.itersize = 5_000
        query = _OBSERVATIONS if ids is None else _OBSERVATIONS_OF_SOME
        for row in cursor.execute(query, parameters):
            observation, source_id, subject, at, title, text, author, identity, *membership = row
            material.ids.append(observation)
            material.happenings.append(
                Happening(
                    source_id=source_id,
                    subject_key=subject,
                    at=at,
                    title=title,
                    author=names.setdefault(author, author) if author else None,
                    identity=names.setdefault(identity, identity) if identity else None,
                    files=frozenset(files.pop(observation, ())),
                    marks=NO_MARKS if text is None else read_marks(title, text),
                )
            )
            material.memberships.append(CurrentMembership(*membership))
    return material


def read_links(conn: Connection, workspace_id: int) -> list[ThreadEdge]:
    """Every strong edge of the workspace."""
    rows = conn.execute(_LINKS, {"workspace": workspace_id, "types": sorted(STRONG)})
    return [ThreadEdge(*row) for row in rows]


def read_items(conn: Connection, workspace_id: int) -> dict[str, ItemStatus]:
    """The current status of each pull request, issue and discussion of the workspace, by key."""
    rows = conn.execute(_ITEMS, (workspace_id, sorted(ITEMS)))
    return {key: ItemStatus(value, since) for key, value, since in rows}


def read_clock(conn: Connection, workspace_id: int) -> float:
    """The time of the workspace's latest event, in seconds: what is idle counts from there, not from
    today."""
    row = conn.execute(_CLOCK, {"workspace": workspace_id}).fetchone()
    return row[0] if row and row[0] is not None else 0.0


def status_of(
    cluster: Cluster, happenings: Sequence[Happening], items: Mapping[str, ItemStatus], clock: float
) -> ClusterStatus:
    """The status of a cluster, from those of its items."""
    members = [happenings[position] for position in cluster.members]
    return decide_status(
        (items.get(key) for key in {member.subject_key for member in members} if is_item(key)),
        last_commit=max(
            (member.at for member in members if is_commit(member.subject_key)), default=None
        ),
        last=cluster.last,
        clock=clock,
    )
