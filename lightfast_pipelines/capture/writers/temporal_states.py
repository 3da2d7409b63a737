"""Writes which observations state which changes of state, and the intervals folded from them.

When an entity is deleted, all its states end: `domain/existence.py` has the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.intervals import (
    StatedChange,
    StateKey,
    continue_states,
    interval_row,
    load_tails,
    replace_intervals,
)
from lightfast_pipelines.capture.writers.rows import (
    columns_of,
    differences,
    write_differences,
)
from lightfast_pipelines.domain import existence, latest_release, serving, states
from lightfast_pipelines.store.database import Connection

ChangeKey = tuple[int, str, str]
_CHANGE_KEY = {"observation_id": "bigint", "entity_key": "text", "state_type": "text"}


class WrittenStates(NamedTuple):
    """Intervals written, and the entities (workspace, key) whose existence may have changed."""

    intervals: int
    ended: frozenset[tuple[int, str]]


_json = msgspec.json.Encoder(enc_hook=str, order="deterministic")


def write_states(
    conn: Connection,
    facts: Mapping[int, Fact],
    earlier_ids: Sequence[int],
    restated: Collection[int],
) -> WrittenStates:
    """Writes the changes of the facts (observation id -> fact).

    `restated` are stored observations whose actor or time of record may have changed: their states are
    folded again even if the change itself is the same.
    """
    new: dict[ChangeKey, StatedChange] = {}
    for observation, fact in facts.items():
        for change in fact.statement.states:
            new[observation, change.thing.key, change.state_type] = StatedChange(
                fact.workspace.id,
                change.value,
                _json.encode(dict(change.metadata)).decode(),
                change.at,
                change.rank,
                change.reason,
                fact.recorded_at,
            )
    changed = differences(_load(conn, earlier_ids), new)
    refolded = {_state_of(*change) for change in changed.removed.items()}
    refolded |= {_state_of(key, row) for key, row in new.items() if key[0] in restated}
    added: dict[StateKey, list[tuple[int, StatedChange]]] = defaultdict(list)
    for key, row in changed.added.items():
        added[_state_of(key, row)].append((key[0], row))
    # For a state that only grows, its stored end is enough.
    tails = load_tails(conn, added.keys() - refolded)
    write_differences(conn, "state_changes", _CHANGE_KEY, StatedChange._fields, changed)
    touched, ended = _with_ends(conn, refolded | added.keys())
    deleted = {(key[0], key[1]) for key in touched if key[2] == existence.STATE_TYPE}
    grown = {key: added[key] for key in tails if (key[0], key[1]) not in deleted}
    continued, intervals = continue_states(conn, tails, grown)
    return WrittenStates(_fold(conn, sorted(touched - continued)) + intervals, ended)


def _state_of(key: ChangeKey, row: StatedChange) -> StateKey:
    return row.workspace_id, key[1], key[2]


def _with_ends(
    conn: Connection, touched: set[StateKey]
) -> tuple[set[StateKey], frozenset[tuple[int, str]]]:
    """These states, and all other states of the entities among theirs whose existence is stated."""
    if not touched:
        return touched, frozenset()
    entities = sorted({(workspace, key) for workspace, key, _ in touched})
    existence_stated = sorted(
        {(workspace, key) for workspace, key, kind in touched if kind == existence.STATE_TYPE}
    )
    rows = conn.execute(
        """
        WITH ended AS (
          SELECT DISTINCT s.workspace_id, s.entity_key
          FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, entity_key)
          JOIN lightfast.state_changes s USING (workspace_id, entity_key)
          WHERE s.state_type = %s AND s.at > '-infinity'
          UNION
          SELECT * FROM unnest(%s::bigint[], %s::text[])
        )
        SELECT DISTINCT e.workspace_id, e.entity_key, s.state_type
        FROM ended e LEFT JOIN lightfast.state_changes s
          ON s.workspace_id = e.workspace_id AND s.entity_key = e.entity_key AND s.at > '-infinity'
        """,
        (
            [workspace for workspace, _ in entities],
            [key for _, key in entities],
            existence.STATE_TYPE,
            [workspace for workspace, _ in existence_stated],
            [key for _, key in existence_stated],
        ),
    ).fetchall()
    others = {(row[0], row[1], row[2]) for row in rows if row[2] is not None}
    return touched | others, frozenset((row[0], row[1]) for row in rows)


def _load(conn: Connection, observations: Sequence[int]) -> dict[ChangeKey, StatedChange]:
    if not observations:
        return {}
    rows = conn.execute(
        """
        SELECT observation_id, entity_key, state_type, workspace_id, state_value, state_metadata, at, rank,
               reason, recorded_at
        FROM lightfast.state_changes WHERE observation_id = ANY(%s)
        """,
        (list(observations),),
    )
    return {
        (row[0], row[1], row[2]): StatedChange(
            row[3], row[4], _json.encode(row[5]).decode(), *row[6:]
        )
        for row in rows
    }


def _fold(conn: Connection, keys: Sequence[StateKey]) -> int:
    """Folds these states again from all their changes; returns how many intervals differ."""
    if not keys:
        return 0
    columns = columns_of(keys)
    rows = conn.execute(
        """
        SELECT s.workspace_id, s.entity_key, s.state_type, s.state_value, s.at, s.rank, o.source_id,
               s.recorded_at, s.reason, s.state_metadata, s.observation_id, o.actor_identity_id
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, entity_key, state_type)
        JOIN lightfast.state_changes s USING (workspace_id, entity_key, state_type)
        JOIN lightfast.observations o ON o.id = s.observation_id
        WHERE s.at > '-infinity'
        ORDER BY 1, 2, 3
        """,
        columns,
    ).fetchall()
    intervals = []
    for (workspace, entity), group in groupby(rows, key=itemgetter(0, 1)):
        by_type = {
            state_type: [states.StateFact(*row[3:]) for row in stated]
            for state_type, stated in groupby(group, key=itemgetter(2))
        }
        for state_type, interval in _histories(by_type):
            intervals.append(interval_row((workspace, entity, state_type), interval))
    return replace_intervals(conn, keys, intervals)


def _histories(
    by_type: Mapping[str, Sequence[states.StateFact]],
) -> Iterator[tuple[str, states.StateInterval]]:
    """(state type, interval) of one entity's states, which end when the entity is deleted."""
    stated = by_type.get(existence.STATE_TYPE, ())
    deletions = existence.deletions(stated, by_type.get("status", ())) if stated else []
    deleting = existence.deleting_ids(stated)
    for state_type, facts in by_type.items():
        if state_type == existence.STATE_TYPE:
            intervals = deletions
        elif deletions:
            own = {fact.value for fact in facts if fact.source_id in deleting}
            intervals = existence.ended(_history(state_type, facts), deletions, own)
        else:
            intervals = _history(state_type, facts)
        yield from ((state_type, interval) for interval in intervals)


def _history(state_type: str, facts: Sequence[states.StateFact]) -> list[states.StateInterval]:
    if state_type == latest_release.STATE_TYPE:
        return latest_release.history(facts)
    if state_type.partition(":")[0] == serving.STATE_TYPE:
        return serving.history(facts)
    return states.history(facts)


def name_states(conn: Connection, entities: Sequence[tuple[int, str]]) -> None:
    """Gives the states of these entities (workspace, key) the entity's current name.

    All states of an entity have the same name, so any of them shows whether it is current.
    """
    if entities:
        wanted = sorted(set(entities))
        conn.execute(
            """
            WITH renamed AS MATERIALIZED (
              SELECT e.workspace_id, e.key, e.value
              FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
              JOIN lightfast.entities e USING (workspace_id, key)
              CROSS JOIN LATERAL (
                SELECT t.entity_name FROM lightfast.temporal_states t
                WHERE t.workspace_id = e.workspace_id AND t.entity_id = e.key LIMIT 1
              ) t
              WHERE t.entity_name IS DISTINCT FROM e.value
            )
            UPDATE lightfast.temporal_states t SET entity_name = r.value
            FROM renamed r
            WHERE t.workspace_id = r.workspace_id AND t.entity_id = r.key
              AND t.entity_name IS DISTINCT FROM r.value
            """,
            columns_of(wanted),
        )
