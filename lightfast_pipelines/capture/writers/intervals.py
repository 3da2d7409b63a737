"""Writes the intervals of states: all of them, or only the last ones of a state that only grows.

A pull request that is closed and reopened a thousand times has a thousand intervals. A change that is later
than all earlier ones affects only the last interval, so only that one is read and written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from lightfast_pipelines.capture.writers.rows import columns_of
from lightfast_pipelines.domain import existence, latest_release, serving, states
from lightfast_pipelines.domain.key_categories import category_of
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

# Workspace, key of the entity, type of the state.
StateKey = tuple[int, str, str]
_INTERVAL = (
    "workspace_id",
    "entity_type",
    "entity_id",
    "state_type",
    "state_value",
    "state_metadata",
    "valid_from",
    "valid_to",
    "is_current",
    "recorded_at",
    "superseded_at",
    "changed_by_identity_id",
    "change_reason",
    "related_observation_id",
)
_METADATA = _INTERVAL.index("state_metadata")
# The facts of these states are weighed against one another, so all of them are always folded.
_WEIGHED = frozenset({existence.STATE_TYPE, latest_release.STATE_TYPE, serving.STATE_TYPE})


class StatedChange(NamedTuple):
    """What an observation states about a state; the key is (observation, entity key, state type)."""

    workspace_id: int
    state_value: str
    state_metadata: str
    at: datetime
    rank: int
    reason: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class StoredTail:
    """The end of a stored history, and the id of the interval that holds now."""

    interval_id: int
    tail: states.Tail


def insert_intervals(conn: Connection, intervals: Iterable[Sequence[object]]) -> None:
    """Inserts intervals, in the order of the columns above.

    They get the name that the entity's other intervals have, so that any one interval shows whether the
    entity was renamed (`name_states`).
    """
    names = ", ".join(_INTERVAL)
    staged = stage(conn, "temporal_states", _INTERVAL, intervals)
    conn.execute(
        f"""
        INSERT INTO lightfast.temporal_states ({names}, entity_name)
        SELECT {names}, CASE WHEN o.has_others THEN o.entity_name ELSE
                          (SELECT e.value FROM lightfast.entities e
                           WHERE e.workspace_id = s.workspace_id AND e.key = s.entity_id) END
        FROM {staged} s LEFT JOIN LATERAL (
          SELECT true AS has_others, t.entity_name FROM lightfast.temporal_states t
          WHERE t.workspace_id = s.workspace_id AND t.entity_id = s.entity_id LIMIT 1
        ) o ON true
        """
    )


def replace_intervals(
    conn: Connection, keys: Sequence[StateKey], intervals: Iterable[tuple[object, ...]]
) -> int:
    """Replaces the intervals of these states; writes only those that differ, and returns their number.

    After 4,000 deployments of one environment, the next deployment changes two intervals.
    """
    names = ", ".join(f"t.{name}" for name in _INTERVAL)
    rows = conn.execute(
        f"""
        SELECT t.id, {names}
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, entity_id, state_type)
        JOIN lightfast.temporal_states t USING (workspace_id, entity_id, state_type)
        """,
        columns_of(keys),
    )
    stored: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for interval_id, *columns in rows:
        columns[_METADATA] = _encoded(columns[_METADATA])
        stored[tuple(columns)].append(interval_id)
    new = []
    for interval in intervals:
        same_ids = stored.get(interval)
        if same_ids:
            same_ids.pop()
        else:
            new.append(interval)
    gone = [interval_id for interval_ids in stored.values() for interval_id in interval_ids]
    conn.execute("DELETE FROM lightfast.temporal_states WHERE id = ANY(%s)", (gone,))
    if new:
        insert_intervals(conn, new)
    return len(new)


def _encoded(metadata: Mapping[str, object]) -> str:
    return msgspec.json.encode(metadata, enc_hook=str, order="deterministic").decode()


def load_tails(conn: Connection, keys: Collection[StateKey]) -> dict[StateKey, StoredTail]:
    """The ends of the states among these that can be continued; call it before adding changes."""
    plain = sorted(key for key in keys if key[2].partition(":")[0] not in _WEIGHED)
    if not plain:
        return {}
    # The conditions on infinity select the index: there is one for each of the two clocks.
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.entity_key, k.state_type, t.id, t.state_value, l.at, r.recorded_at
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, entity_key, state_type)
        JOIN lightfast.temporal_states t
          ON t.workspace_id = k.workspace_id AND t.entity_id = k.entity_key
         AND t.state_type = k.state_type AND t.is_current
        CROSS JOIN LATERAL (
          SELECT s.at FROM lightfast.state_changes s
          WHERE s.workspace_id = k.workspace_id AND s.entity_key = k.entity_key
            AND s.state_type = k.state_type AND s.at > '-infinity'
          ORDER BY s.at DESC LIMIT 1
        ) l
        CROSS JOIN LATERAL (
          SELECT s.recorded_at FROM lightfast.state_changes s
          WHERE s.workspace_id = k.workspace_id AND s.entity_key = k.entity_key
            AND s.state_type = k.state_type AND s.recorded_at > '-infinity'
          ORDER BY s.recorded_at DESC LIMIT 1
        ) r
        """,
        columns_of(plain),
    )
    return {(row[0], row[1], row[2]): StoredTail(row[3], states.Tail(*row[4:])) for row in rows}


def continue_states(
    conn: Connection,
    tails: Mapping[StateKey, StoredTail],
    grown: Mapping[StateKey, Sequence[tuple[int, StatedChange]]],
) -> tuple[set[StateKey], int]:
    """Continues the states to which only these changes (observation, change) were added.

    Returns the states that could be continued, and how many intervals were written.
    """
    actors = _actors_of(conn, {observation for added in grown.values() for observation, _ in added})
    continued: set[StateKey] = set()
    ended: dict[int, datetime] = {}
    copies: list[tuple[int, datetime, datetime]] = []
    begun: list[tuple[object, ...]] = []
    for key, added in grown.items():
        facts = [_fact(observation, change, actors[observation]) for observation, change in added]
        changes = states.continuation(tails[key].tail, facts)
        if changes is None:
            continue
        continued.add(key)
        if changes:
            ended[tails[key].interval_id] = changes[0].recorded_at
            copies.append((tails[key].interval_id, changes[0].at, changes[0].recorded_at))
        for fact, following in zip_longest(changes, changes[1:]):
            begun += (interval_row(key, interval) for interval in _intervals(fact, following))
    _end(conn, ended, copies)
    if begun:
        insert_intervals(conn, begun)
    return continued, len(copies) + len(begun)


def _intervals(
    fact: states.StateFact, following: states.StateFact | None
) -> list[states.StateInterval]:
    """What is believed about the interval that a fact begins: that it lasts until now and, once the
    following fact is known, that it has ended."""
    if following is None:
        return [states.StateInterval(fact.value, fact.at, None, True, fact.recorded_at, None, fact)]
    known_at = following.recorded_at
    return [
        states.StateInterval(fact.value, fact.at, None, False, fact.recorded_at, known_at, fact),
        states.StateInterval(fact.value, fact.at, following.at, False, known_at, None, fact),
    ]


def interval_row(key: StateKey, interval: states.StateInterval) -> tuple[object, ...]:
    """The interval in the order of the columns above."""
    workspace, entity, state_type = key
    fact = interval.fact
    return (
        workspace,
        category_of(entity),
        entity,
        state_type,
        interval.value,
        _encoded(serving.without_basis(fact.metadata)),
        interval.valid_from,
        interval.valid_to,
        interval.is_current,
        interval.recorded_at,
        interval.superseded_at,
        fact.identity_id,
        fact.reason,
        fact.observation_id,
    )


def _fact(observation: int, change: StatedChange, actor: int | None) -> states.StateFact:
    return states.StateFact(
        change.state_value,
        change.at,
        change.rank,
        # The source_id orders changes of one moment, and there are none here.
        "",
        change.recorded_at,
        change.reason,
        msgspec.json.decode(change.state_metadata),
        observation,
        actor,
    )


def _actors_of(conn: Connection, observations: Collection[int]) -> dict[int, int | None]:
    rows = conn.execute(
        "SELECT id, actor_identity_id FROM lightfast.observations WHERE id = ANY(%s)",
        (list(observations),),
    )
    return dict(rows.fetchall())


def _end(
    conn: Connection,
    ended: Mapping[int, datetime],
    copies: Sequence[tuple[int, datetime, datetime]],
) -> None:
    """Supersedes what held until now, and inserts copies of it that have ended."""
    if not ended:
        return
    conn.execute(
        """
        UPDATE lightfast.temporal_states t SET is_current = false, superseded_at = k.known
        FROM unnest(%s::bigint[], %s::timestamptz[]) AS k (id, known) WHERE t.id = k.id
        """,
        (list(ended), list(ended.values())),
    )
    kept = ", ".join(
        f"t.{name}"
        for name in _INTERVAL
        if name not in ("valid_to", "is_current", "recorded_at", "superseded_at")
    )
    names = kept.replace("t.", "")
    conn.execute(
        f"""
        INSERT INTO lightfast.temporal_states
          ({names}, entity_name, valid_to, is_current, recorded_at, superseded_at)
        SELECT {kept}, t.entity_name, k.valid_to, false, k.known, NULL
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS k (id, valid_to, known)
        JOIN lightfast.temporal_states t ON t.id = k.id
        """,
        columns_of(copies),
    )
