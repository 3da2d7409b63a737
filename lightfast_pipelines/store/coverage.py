"""Which intervals of a resource's history are fully fetched, and the cursor of an unfinished walk.

`backfill/walk.py` does the walking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange

from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From `since` (inclusive) to `until` (exclusive)."""

    since: datetime
    until: datetime


# A short interval is about one page: an estimate of it would cost as much as reading it.
_SHORT = timedelta(hours=6)


def is_long(interval: TimeSpan) -> bool:
    """Whether it is long enough for an estimate to be worth its requests."""
    return interval.until - interval.since > _SHORT


@dataclass(frozen=True, slots=True)
class UnfinishedWalk:
    """A walk that was not finished: its interval, its cursor and the page size it last used."""

    interval: TimeSpan
    cursor: Mapping[str, Any]
    page_size: int | None
    items: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """A row of `backfill_coverage` with its resource."""

    workspace: str
    provider: str
    resource_id: str
    resource_name: str | None
    entity_type: str
    covered: Sequence[TimeSpan]
    status: str
    pages: int
    records: int
    expected: int | None
    stored: int | None
    error: str | None
    walking: TimeSpan | None
    updated_at: datetime


def uncovered(
    conn: Connection, integration_id: int, entity_type: str, asked: TimeSpan
) -> list[TimeSpan]:
    """The parts of `asked` that are not fully fetched, oldest first.

    What was fetched for another workspace's link of the same resource reached this one too. If the provider
    had nothing, it may have something by now, however old: first commits are pushed, or a feature that was
    switched off is switched on again.
    """
    if asked.since >= asked.until:
        return []
    row = conn.execute(
        """
        SELECT tstzmultirange(tstzrange(%(since)s, %(until)s)) - coalesce(
          (SELECT range_agg(c.covered - c.nothing)
           FROM lightfast.integrations i
           JOIN lightfast.integrations other ON other.resource_id = i.resource_id
           JOIN lightfast.backfill_coverage c ON c.integration_id = other.id
           WHERE i.id = %(id)s AND c.entity_type = %(type)s), '{}')
        """,
        {"since": asked.since, "until": asked.until, "id": integration_id, "type": entity_type},
    ).fetchone()
    return _intervals(row[0]) if row else []


def covered_until(conn: Connection) -> dict[tuple[int, str], TimeSpan]:
    """(integration, entity type) -> the time from which it has to be read again, and until when it was
    read.

    Both are the same moment, unless the provider had nothing. What was never read is left out.
    """
    rows = conn.execute(
        """
        SELECT integration_id, entity_type, coalesce(lower(nothing), upper(covered)), upper(covered)
        FROM lightfast.backfill_coverage WHERE NOT isempty(covered)
        """
    )
    return {(row[0], row[1]): TimeSpan(row[2], row[3]) for row in rows}


def unfinished_walk(
    conn: Connection, integration_id: int, entity_type: str
) -> UnfinishedWalk | None:
    """The walk that was not finished, if there is one."""
    row = conn.execute(
        """
        SELECT walking, cursor, page_size, coalesce(stored, 0) FROM lightfast.backfill_coverage
        WHERE integration_id = %s AND entity_type = %s AND cursor IS NOT NULL AND walking IS NOT NULL
        """,
        (integration_id, entity_type),
    ).fetchone()
    return None if row is None else UnfinishedWalk(_interval(row[0]), row[1], row[2], row[3])


def etag_before(
    conn: Connection, integration_id: int, entity_type: str, since: datetime
) -> str | None:
    """The newest page's ETag when all before `since` had been fetched, if it is known."""
    row = conn.execute(
        """
        SELECT etag FROM lightfast.backfill_coverage
        WHERE integration_id = %s AND entity_type = %s AND upper(covered) = %s
        """,
        (integration_id, entity_type, since),
    ).fetchone()
    return row[0] if row else None


def begin_walk(
    conn: Connection,
    integration_id: int,
    entity_type: str,
    interval: TimeSpan,
    cursor: Mapping[str, Any],
    expected: int | None,
) -> None:
    """Begins a walk over the interval at the cursor. Does not commit."""
    conn.execute(
        """
        INSERT INTO lightfast.backfill_coverage
          (integration_id, entity_type, status, walking, cursor, expected, stored)
        VALUES (%s, %s, 'running', %s, %s, %s, 0)
        ON CONFLICT (integration_id, entity_type) DO UPDATE SET
          status = 'running', walking = excluded.walking, cursor = excluded.cursor, page_size = NULL,
          expected = excluded.expected, stored = 0, error = NULL, updated_at = now()
        """,
        (integration_id, entity_type, _range(interval), json.dumps(dict(cursor)), expected),
    )


def resume_walk(conn: Connection, integration_id: int, entity_type: str) -> None:
    """Resumes the unfinished walk. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.backfill_coverage SET status = 'running', error = NULL, updated_at = now()
        WHERE integration_id = %s AND entity_type = %s
        """,
        (integration_id, entity_type),
    )


def move_cursor(  # noqa: PLR0913 - each column that a page changes, by name
    conn: Connection,
    integration_id: int,
    entity_type: str,
    *,
    cursor: Mapping[str, Any] | None,
    page_size: int,
    items: int,
    records: int,
    walking: TimeSpan | None = None,
    covered: TimeSpan | None = None,
    is_nothing: bool = False,
    etag: str | None = None,
) -> None:
    """Records that a page of the walk over `walking` is stored, and where the walk continues.

    With `cursor` None the walk is over, and `covered` is fully fetched; with `is_nothing` the provider
    had nothing, so the next walk asks for it again. `etag` is the newest page's, if all of that page
    is stored. Does not commit: the page's records and this are one transaction.
    """
    conn.execute(
        """
        UPDATE lightfast.backfill_coverage SET
          cursor = %(cursor)s, page_size = %(size)s, pages = pages + 1,
          records = records + %(records)s, stored = coalesce(stored, 0) + %(items)s,
          status = CASE WHEN %(over)s THEN 'completed' ELSE status END,
          walking = CASE WHEN %(over)s THEN NULL ELSE %(walking)s END,
          covered = covered + %(covered)s::tstzmultirange,
          nothing = CASE WHEN %(is_nothing)s THEN nothing + %(covered)s::tstzmultirange
                         ELSE nothing - %(covered)s::tstzmultirange END,
          etag = CASE WHEN %(over)s THEN %(etag)s ELSE etag END,
          updated_at = now()
        WHERE integration_id = %(id)s AND entity_type = %(type)s
        """,
        {
            "cursor": None if cursor is None else json.dumps(dict(cursor)),
            "size": page_size,
            "records": records,
            "items": items,
            "over": cursor is None,
            "etag": etag,
            "walking": _range(walking) if walking else None,
            "covered": TimestamptzMultirange([_range(covered)] if covered else []),
            "is_nothing": is_nothing,
            "id": integration_id,
            "type": entity_type,
        },
    )


def stop_walk(
    conn: Connection, integration_id: int, entity_type: str, status: str, error: str | None
) -> None:
    """Records that the walk stopped before its end: `failed` or `cancelled`. Does not commit."""
    conn.execute(
        """
        INSERT INTO lightfast.backfill_coverage (integration_id, entity_type, status, error)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (integration_id, entity_type) DO UPDATE SET
          status = excluded.status, error = excluded.error, updated_at = now()
        """,
        (integration_id, entity_type, status, error),
    )


def forget_walk(conn: Connection, integration_id: int, entity_type: str) -> None:
    """Forgets a cursor that leads nowhere; the next walk starts from the beginning. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.backfill_coverage SET cursor = NULL, walking = NULL, updated_at = now()
        WHERE integration_id = %s AND entity_type = %s
        """,
        (integration_id, entity_type),
    )


def list_coverage(conn: Connection, workspace_id: int | None = None) -> list[Coverage]:
    rows = conn.execute(
        """
        SELECT w.slug, r.provider, r.provider_resource_id, r.resource_name, c.entity_type, c.covered,
               c.status, c.pages, c.records, c.expected, c.stored, c.error, c.walking, c.updated_at
        FROM lightfast.backfill_coverage c
        JOIN lightfast.integrations i ON i.id = c.integration_id
        JOIN lightfast.resources r ON r.id = i.resource_id
        JOIN lightfast.workspaces w ON w.id = i.workspace_id
        WHERE %(workspace)s::bigint IS NULL OR w.id = %(workspace)s
        ORDER BY w.slug, r.provider, r.provider_resource_id, c.entity_type
        """,
        {"workspace": workspace_id},
    )
    return [
        Coverage(
            *row[:5],
            _intervals(row[5]),
            *row[6:12],
            _interval(row[12]) if row[12] else None,
            row[13],
        )  # type: ignore[call-arg]
        for row in rows
    ]


def _range(interval: TimeSpan) -> TimestamptzRange:
    return TimestamptzRange(interval.since, interval.until, "[)")


def _interval(bounds: Any) -> TimeSpan:
    return TimeSpan(bounds.lower, bounds.upper)


def _intervals(multirange: Any) -> list[TimeSpan]:
    return [
        _interval(bounds)
        for bounds in multirange
        if bounds.lower is not None and bounds.upper is not None
    ]
