"""What the memory holds about one thing: its states, its edges, its observations and its cluster.

However much there is, a bounded part of it is read: the latest MOST_READ of each list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.existence import DELETED, STATE_TYPE
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.timeline import Event, Wanted, entity_id, read_timeline

MOST_READ = 1_000
"""Of a longer list, this many of the newest are read and counted."""
_CLUSTERS = 3


@dataclass(frozen=True, slots=True)
class Header:
    """The thing itself. `mentions` counts the observations that name it."""

    workspace: str
    key: str
    category: str
    name: str | None
    url: str | None
    aliases: list[str]
    is_stub: bool
    mentions: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class StateOfThing:
    """A value that is believed to have held for a while; `valid_to` is None while it holds."""

    state_type: str
    value: str
    value_name: str | None
    """The name of the thing or person whose key the value is."""
    valid_from: datetime
    valid_to: datetime | None
    is_current: bool
    changed_by: str | None
    reason: str | None
    observation: str | None
    observation_type: str | None
    """The observation that began it, and its type."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The other end of an edge, with its current status."""

    key: str
    category: str
    name: str | None
    status: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    confidence: float
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges of one type and direction. `total` is MOST_READ if there are that many or more."""

    type: str
    forward: bool
    total: int
    neighbours: list[Neighbour]


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """What an observation about the thing itself says about who, where and in which cluster."""

    type: str
    actor: str | None
    author: str | None
    repository: str | None
    cluster: str | None


@dataclass(frozen=True, slots=True)
class ClusterOfThing:
    id: str
    label: str
    status: str
    observation_count: int
    summary: str | None


@dataclass(frozen=True, slots=True)
class Participant:
    """A person, and what they did to the thing, in the order in which they did it."""

    name: str
    is_author: bool
    changes: list[str]


@dataclass(frozen=True, slots=True)
class ThingDetails:
    """All that is shown of a thing."""

    header: Header
    states: list[StateOfThing]
    edges: list[Edges]
    own_events: list[OwnEvent]
    """The oldest first."""
    latest: list[Event]
    """The observations about the thing and those that name it, the latest first."""
    clusters: list[ClusterOfThing]

    @property
    def repository(self) -> str | None:
        return next((each.repository for each in self.own_events[::-1] if each.repository), None)

    @property
    def deletion(self) -> StateOfThing | None:
        """The state that says that the thing is deleted now."""
        return next(
            (
                state
                for state in self.states
                if state.is_current and (state.state_type, state.value) == (STATE_TYPE, DELETED)
            ),
            None,
        )

    @property
    def participants(self) -> list[Participant]:
        """Who did something to the thing, the author first, then those who did most."""
        author = next((each.author for each in self.own_events if each.author), None)
        changes: dict[str, list[str]] = {author: []} if author is not None else {}
        for each in self.own_events:
            if (doer := each.actor or each.author) is not None:
                changes.setdefault(doer, []).append(each.type)
        people = [
            Participant(name, name == author, list(dict.fromkeys(types)))
            for name, types in changes.items()
        ]
        return sorted(
            people, key=lambda each: (not each.is_author, -len(changes[each.name]), each.name)
        )


def read_details(conn: Connection, workspace: int, key: str, most: int) -> ThingDetails | None:
    """The thing with this key, its latest `most` observations, and as many edges of each type."""
    header = read_header(conn, workspace, key)
    if header is None:
        return None
    own_events = _own_events(conn, workspace, key)
    clusters = Counter(each.cluster for each in own_events if each.cluster)
    return ThingDetails(
        header,
        read_states(conn, workspace, key),
        read_edges(conn, workspace, key, most),
        own_events,
        read_timeline(conn, Wanted(workspace, entity=entity_id(conn, workspace, key)), most),
        read_clusters(conn, workspace, [cluster for cluster, _ in clusters.most_common(_CLUSTERS)]),
    )


def read_header(conn: Connection, workspace: int, key: str) -> Header | None:
    row = conn.execute(
        """
        SELECT w.slug, e.key, e.category, e.value, e.url, e.aliases, e.is_stub, e.occurrence_count,
               e.first_seen_at, e.last_seen_at
        FROM lightfast.entities e JOIN lightfast.workspaces w ON w.id = e.workspace_id
        WHERE e.workspace_id = %s AND e.key = %s
        """,
        (workspace, key),
    ).fetchone()
    return None if row is None else Header(*row)


def read_states(conn: Connection, workspace: int, key: str) -> list[StateOfThing]:
    """The states that are believed now, the latest first."""
    rows = conn.execute(
        """
        SELECT s.state_type, s.state_value,
               coalesce(s.state_metadata->>'name', e.value), s.valid_from, s.valid_to, s.is_current,
               coalesce(a.display_name, i.source_username, i.source_name), s.change_reason, o.external_id,
               o.source_type
        FROM lightfast.temporal_states s
        LEFT JOIN lightfast.entities e
          ON e.workspace_id = s.workspace_id AND e.key = s.state_value AND s.state_type <> 'status'
        LEFT JOIN lightfast.actor_identities i ON i.id = s.changed_by_identity_id
        LEFT JOIN lightfast.actors a ON a.id = i.actor_id
        LEFT JOIN lightfast.observation_facts o ON o.id = s.related_observation_id
        WHERE s.workspace_id = %s AND s.entity_id = %s AND s.superseded_at IS NULL
        ORDER BY s.valid_from DESC, s.valid_to DESC NULLS FIRST, s.state_type, s.state_value LIMIT %s
        """,
        (workspace, key, MOST_READ),
    )
    return [StateOfThing(*row) for row in rows]


def read_edges(conn: Connection, workspace: int, key: str, most: int) -> list[Edges]:
    """The edges of each type and direction, the latest `most` of each."""
    return [
        *_edges(conn, workspace, key, most, forward=True),
        *_edges(conn, workspace, key, most, forward=False),
    ]


# The types are found by one look at the index for each, not by reading all edges.
_EDGES = """
    WITH RECURSIVE thing AS MATERIALIZED (
      SELECT id FROM lightfast.entities WHERE workspace_id = %(workspace)s AND key = %(key)s
    ), types AS (
      (SELECT r.type FROM thing JOIN lightfast.relationships r ON r.{this} = thing.id
       ORDER BY r.type LIMIT 1)
      UNION ALL
      SELECT (SELECT r.type FROM lightfast.relationships r
              WHERE r.{this} = (SELECT id FROM thing) AND r.type > types.type
              ORDER BY r.type LIMIT 1)
      FROM types WHERE types.type IS NOT NULL
    ), ranked AS (
      SELECT r.*, count(*) OVER (PARTITION BY r.type) AS total,
             row_number() OVER (PARTITION BY r.type ORDER BY r.last_seen_at DESC, r.other) AS place
      FROM types
      CROSS JOIN LATERAL (
        SELECT r.type, r.{other} AS other, r.first_seen_at, r.last_seen_at, r.confidence, r.evidence
        FROM lightfast.relationships r
        WHERE r.{this} = (SELECT id FROM thing) AND r.type = types.type
          AND r.workspace_id = %(workspace)s
        ORDER BY r.{other} DESC LIMIT %(read)s
      ) r
    )
    SELECT r.type, r.total, e.key, e.category, e.value, s.state_value, r.first_seen_at,
           r.last_seen_at, r.confidence, r.evidence
    FROM ranked r
    JOIN lightfast.entities e ON e.id = r.other
    LEFT JOIN lightfast.temporal_states s ON s.workspace_id = %(workspace)s
     AND s.entity_id = e.key AND s.state_type = 'status' AND s.is_current
    WHERE r.place <= %(most)s
    ORDER BY r.type, r.last_seen_at DESC, e.key
"""
_FORWARD = _EDGES.format(this="subject_id", other="object_id")
_BACK = _EDGES.format(this="object_id", other="subject_id")


def _edges(conn: Connection, workspace: int, key: str, most: int, *, forward: bool) -> list[Edges]:
    rows = conn.execute(
        _FORWARD if forward else _BACK,
        {"workspace": workspace, "key": key, "most": most, "read": MOST_READ},
    )
    by_type: dict[str, Edges] = {}
    for name, total, *rest in rows:
        by_type.setdefault(name, Edges(name, forward, total, [])).neighbours.append(
            Neighbour(*rest)
        )
    return list(by_type.values())


def _own_events(conn: Connection, workspace: int, key: str) -> list[OwnEvent]:
    """The observations about the thing, the oldest first; some of them, if there are more than MOST_READ."""
    rows = conn.execute(
        """
        SELECT f.source_type, doer.display_name, writer.display_name,
               coalesce(f.metadata->>'repoFullName', (f.metadata->>'gitOrg') || '/' || (f.metadata->>'gitRepo')),
               member.cluster_id
        FROM (
          SELECT * FROM lightfast.observation_facts
          WHERE workspace_id = %s AND subject_key = %s LIMIT %s
        ) f
        LEFT JOIN lightfast.actor_identities acting ON acting.id = f.actor_identity_id
        LEFT JOIN lightfast.actors doer ON doer.id = acting.actor_id
        LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
        LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
        LEFT JOIN lightfast.cluster_members member ON member.observation_id = f.id
        ORDER BY f.occurred_at, f.source_id
        """,
        (workspace, key, MOST_READ),
    )
    return [OwnEvent(*row) for row in rows]


def read_clusters(conn: Connection, workspace: int, ids: Sequence[str]) -> list[ClusterOfThing]:
    """These clusters, in this order."""
    rows: dict[str, Any] = {
        row[0]: ClusterOfThing(*row)
        for row in conn.execute(
            """
            SELECT id, topic_label, status, observation_count, summary FROM lightfast.clusters
            WHERE workspace_id = %s AND id = ANY(%s)
            """,
            (workspace, list(ids)),
        )
    }
    return [rows[each] for each in ids if each in rows]
