"""The table of occurrences: the events of each series, and the observation that reports each of them.

It has one row for each payload that states an event or a restart. Each query uses an index, for all series
of a batch at once, so that it costs the same however many events came before. The indexes are partial, so
that each serves a single query: if two indexes fit, the planner, whose statistics lag behind in a storm,
would choose the one that has to sort.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.capture.writers.rows import columns_of, delete_rows
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

# Each begins with the workspace; then the series, the event's id, the hour's source_id, a time.
SeriesKey = tuple[int, str]
EventKey = tuple[int, str, str]
HourKey = tuple[int, str]
Moment = tuple[int, str, datetime]
RestartKey = tuple[int, str, int]
"""Workspace, series, payload."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the table holds it.

    If it stands alone, its observation is `alone_id`; else the observation `hour_id` counts it.
    """

    at: datetime
    hour_id: str
    alone_id: str
    is_alone: bool
    raw_ids: frozenset[int]

    @property
    def source_id(self) -> str:
        return self.alone_id if self.is_alone else self.hour_id


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time from one restart of a series to the next: its earliest event, and the events in it that
    stand alone so far."""

    head: EventKey
    alone: frozenset[EventKey]


@dataclass(frozen=True, slots=True)
class Hour:
    """The events that an hour counts. `known_at` is when the first of their payloads was received."""

    count: int
    first: EventKey
    last_at: datetime
    known_at: datetime


_EVENT_KEY = {"workspace_id": "bigint", "series_key": "text", "event_id": "text"}
_COLUMNS = (
    "workspace_id",
    "series_key",
    "event_id",
    "raw_payload_id",
    "at",
    "hour_id",
    "alone_id",
    "is_alone",
    "is_restart",
)


def stated_before(
    conn: Connection, raw_ids: Collection[int]
) -> tuple[set[EventKey], dict[RestartKey, datetime]]:
    """The events and the restarts that these payloads stated when they were last captured."""
    rows = conn.execute(
        """
        SELECT workspace_id, series_key, event_id, raw_payload_id, at, is_restart
        FROM lightfast.occurrences WHERE raw_payload_id = ANY(%s)
        """,
        (list(raw_ids),),
    ).fetchall()
    return (
        {(row[0], row[1], row[2]) for row in rows if not row[5]},
        {(row[0], row[1], row[3]): row[4] for row in rows if row[5]},
    )


def load_events(conn: Connection, keys: Collection[EventKey]) -> dict[EventKey, Event]:
    """The events among these that are stored."""
    if not keys:
        return {}
    rows = conn.execute(
        """
        SELECT o.workspace_id, o.series_key, o.event_id, o.at, o.hour_id, o.alone_id, o.is_alone,
               o.raw_payload_id
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, series_key, event_id)
        JOIN lightfast.occurrences o USING (workspace_id, series_key, event_id)
        """,
        columns_of(keys),
    )
    columns: dict[EventKey, tuple[datetime, str, str, bool]] = {}
    raw_ids: dict[EventKey, set[int]] = defaultdict(set)
    for workspace, series, event, at, hour_id, alone_id, is_alone, raw_id in rows:
        columns[workspace, series, event] = (at, hour_id, alone_id, is_alone)
        raw_ids[workspace, series, event].add(raw_id)
    return {key: Event(*values, frozenset(raw_ids[key])) for key, values in columns.items()}


def replace_events(
    conn: Connection, before: Mapping[EventKey, Event], after: Mapping[EventKey, Event]
) -> None:
    """Writes the events that differ and deletes those that are only in `before`."""
    removed = [key for key, event in before.items() if after.get(key) != event]
    added = {key: event for key, event in after.items() if before.get(key) != event}
    delete_rows(conn, "occurrences", _EVENT_KEY, removed)
    _insert(
        conn,
        (
            (*key, raw_id, event.at, event.hour_id, event.alone_id, event.is_alone, False)
            for key, event in added.items()
            for raw_id in event.raw_ids
        ),
    )


def replace_restarts(
    conn: Connection, raw_ids: Collection[int], restarts: Mapping[RestartKey, datetime]
) -> None:
    """Writes the restarts that these payloads state now, replacing those they stated before."""
    conn.execute(
        "DELETE FROM lightfast.occurrences WHERE raw_payload_id = ANY(%s) AND is_restart",
        (list(raw_ids),),
    )
    _insert(
        conn,
        (
            (workspace, series, "", raw_id, at, "", "", False, True)
            for (workspace, series, raw_id), at in restarts.items()
        ),
    )


def _insert(conn: Connection, rows: Iterable[Sequence[object]]) -> None:
    names = ", ".join(_COLUMNS)
    staged = stage(conn, "occurrences", _COLUMNS, rows)
    conn.execute(
        f"""
        INSERT INTO lightfast.occurrences ({names}, received_at)
        SELECT {names},
               (SELECT p.received_at FROM lightfast.raw_payloads p WHERE p.id = raw_payload_id)
        FROM {staged}
        """
    )


def first_events(conn: Connection, series: Collection[SeriesKey]) -> dict[SeriesKey, EventKey]:
    """The earliest event of each of these series."""
    if not series:
        return {}
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.series_key, f.event_id
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, series_key)
        CROSS JOIN LATERAL (
          SELECT o.event_id FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.series_key = k.series_key AND NOT o.is_restart
          ORDER BY o.at, o.event_id LIMIT 1
        ) f
        """,
        columns_of(series),
    )
    return {(row[0], row[1]): (row[0], row[1], row[2]) for row in rows}


def first_restarts(conn: Connection, series: Collection[SeriesKey]) -> dict[SeriesKey, datetime]:
    """The time of the earliest restart of each of these series that has one."""
    if not series:
        return {}
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.series_key, f.at
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, series_key)
        CROSS JOIN LATERAL (
          SELECT o.at FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.series_key = k.series_key AND o.is_restart
          ORDER BY o.at LIMIT 1
        ) f
        """,
        columns_of(series),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def stretches(conn: Connection, moments: Collection[Moment]) -> list[Stretch]:
    """The stretches in which these moments lie, each once, without those that have no event."""
    if not moments:
        return []
    rows = conn.execute(
        """
        SELECT DISTINCT k.workspace_id, k.series_key, h.event_id,
               ARRAY(
                 SELECT o.event_id FROM lightfast.occurrences o
                 WHERE o.workspace_id = k.workspace_id AND o.series_key = k.series_key AND o.is_alone
                   AND o.at >= coalesce(b.at, '-infinity') AND o.at < coalesce(e.at, 'infinity'))
        FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS k (workspace_id, series_key, at)
        LEFT JOIN LATERAL (
          SELECT o.at FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.series_key = k.series_key AND o.is_restart
            AND o.at <= k.at ORDER BY o.at DESC LIMIT 1
        ) b ON true
        LEFT JOIN LATERAL (
          SELECT o.at FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.series_key = k.series_key AND o.is_restart
            AND o.at > k.at ORDER BY o.at LIMIT 1
        ) e ON true
        CROSS JOIN LATERAL (
          SELECT o.event_id FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.series_key = k.series_key AND NOT o.is_restart
            AND o.at >= coalesce(b.at, '-infinity') AND o.at < coalesce(e.at, 'infinity')
          ORDER BY o.at, o.event_id LIMIT 1
        ) h
        """,
        columns_of(moments),
    )
    return [
        Stretch((workspace, series, head), frozenset((workspace, series, event) for event in alone))
        for workspace, series, head, alone in rows
    ]


def count_hours(conn: Connection, changes: Mapping[HourKey, int]) -> dict[HourKey, Hour]:
    """Adds to the number of events in each hour; returns the hours that still count any."""
    if not changes:
        return {}
    columns = [*columns_of(changes), list(changes.values())]
    conn.execute(
        """
        INSERT INTO lightfast.occurrence_counts (workspace_id, hour_id, events)
        SELECT workspace_id, hour_id, 0 FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, hour_id)
        ORDER BY 1, 2 ON CONFLICT DO NOTHING
        """,
        columns[:2],
    )
    conn.execute(
        """
        UPDATE lightfast.occurrence_counts c SET events = c.events + k.added
        FROM unnest(%s::bigint[], %s::text[], %s::int[]) AS k (workspace_id, hour_id, added)
        WHERE c.workspace_id = k.workspace_id AND c.hour_id = k.hour_id
        """,
        columns,
    )
    rows = conn.execute(
        """
        SELECT c.workspace_id, c.hour_id, c.events, f.series_key, f.event_id, l.at, r.received_at
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, hour_id)
        JOIN lightfast.occurrence_counts c USING (workspace_id, hour_id)
        CROSS JOIN LATERAL (
          SELECT o.series_key, o.event_id FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.hour_id = k.hour_id AND NOT (o.is_alone OR o.is_restart)
            AND o.at > '-infinity'
          ORDER BY o.at, o.event_id LIMIT 1
        ) f
        CROSS JOIN LATERAL (
          SELECT o.at FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.hour_id = k.hour_id AND NOT (o.is_alone OR o.is_restart)
            AND o.at > '-infinity'
          ORDER BY o.at DESC LIMIT 1
        ) l
        CROSS JOIN LATERAL (
          SELECT o.received_at FROM lightfast.occurrences o
          WHERE o.workspace_id = k.workspace_id AND o.hour_id = k.hour_id AND NOT (o.is_alone OR o.is_restart)
            AND o.received_at > '-infinity'
          ORDER BY o.received_at LIMIT 1
        ) r
        """,
        columns[:2],
    ).fetchall()
    conn.execute(
        """
        DELETE FROM lightfast.occurrence_counts c
        USING unnest(%s::bigint[], %s::text[]) AS k (workspace_id, hour_id)
        WHERE c.workspace_id = k.workspace_id AND c.hour_id = k.hour_id AND c.events = 0
        """,
        columns[:2],
    )
    return {(row[0], row[1]): Hour(row[2], (row[0], row[3], row[4]), *row[5:]) for row in rows}
