"""Walks one unit of a backfill page by page into the inbox; no page is stored twice.

`_walk` is the path of a page: request it within the budget, read it, store its records, move the
cursor. Records and cursor share a transaction, so a walk that is killed resumes at the same page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from lightfast_pipelines.backfill.units import UnitReport, WalkUnit
from lightfast_pipelines.provider_api.absence import ask_for_page
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.sources import delivery_of
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Cursor,
    Page,
    Record,
    Window,
)
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import insert_deliveries
from lightfast_pipelines.store.locks import job_lock

# Providers show an event some seconds after it happened: anything later is left to the next walk.
LATE = timedelta(seconds=60)
_UNCHANGED = 304


class CancelledError(Exception):
    """Somebody cancelled the backfill. What is stored stays; the walk resumes at its cursor."""


@dataclass(frozen=True, slots=True)
class WalkContext:
    """What every walk of an installation uses.

    `check` raises CancelledError to end a walk. `on_page` is called after each page, with the report so
    far and the moment that the walk has reached.
    """

    conn: Connection
    api: ApiClient
    first_day: date
    check: Callable[[], None]
    on_page: Callable[[UnitReport, datetime | None], None]


@dataclass(slots=True)
class _WalkState:
    """The state of a walk over `interval`. `cursor` is None once the walk is over."""

    unit: WalkUnit
    interval: TimeSpan
    window: Window
    cursor: Cursor | None
    page_size: int
    is_resumed: bool
    known_etag: str | None = None
    """ETag for the first request: the newest page's, from when all before the interval was fetched."""
    new_etag: str | None = None
    is_capped: bool = False
    """Whether `interval` was cut to end before the provider's present."""
    cursors_seen: set[str] = field(default_factory=set)


def walk_unit(
    context: WalkContext, unit: WalkUnit, asked: TimeSpan, *, expected: int | None = None
) -> UnitReport:
    """Fetches the part of `asked` that is not covered yet. The report notes a provider's failure.

    Raises CancelledError.
    """
    report = UnitReport(unit)
    conn, source = context.conn, unit.source
    requests_before = context.api.spent.requests
    lock = f"walk:{source.integration_id}:{unit.entity_type}"
    with job_lock(conn, lock, wait=False) as is_locked:
        if not is_locked:
            report.status, report.error = "skipped", "another process is walking it"
            return report
        try:
            for interval in _intervals(conn, unit, asked):
                _walk(context, _begin(conn, unit, interval, expected), report)
        except CallFailedError as error:
            _stop_early(conn, unit, report, "failed", error.message)
            report.outcome = error.outcome
        except ValueError as error:
            # A resource that lacks what a request needs, or an answer of an unknown shape.
            _stop_early(conn, unit, report, "failed", str(error))
        except BaseException:
            _stop_early(conn, unit, report, "cancelled", None)
            raise
        finally:
            report.requests = context.api.spent.requests - requests_before
    return report


def _intervals(conn: Connection, unit: WalkUnit, asked: TimeSpan) -> Iterator[TimeSpan]:
    """The unfinished walk's interval first, if it overlaps with `asked`, then the other uncovered ones."""
    integration_id, entity_type = unit.source.integration_id, unit.entity_type
    unfinished = coverage.unfinished_walk(conn, integration_id, entity_type)
    if (
        unfinished
        and unfinished.interval.since < asked.until
        and asked.since < unfinished.interval.until
    ):
        yield unfinished.interval
    yield from coverage.uncovered(conn, integration_id, entity_type, asked)
    conn.rollback()


def _walk(context: WalkContext, walk: _WalkState, report: UnitReport) -> None:
    """Moves page after page from the provider to the inbox until the walk is over."""
    while walk.cursor is not None:
        context.check()
        answer = _ask(context.api, walk, walk.cursor)
        page = _read(walk, walk.cursor, answer)
        _note_etag(walk, answer, page, is_first=not report.pages and not walk.is_resumed)
        _cap_interval(walk, context.api.answered_at)
        _refuse_repeated_cursor(context.conn, walk, page, report.pages + 1)
        records = [record for record in page.records if walk.window.holds(record.occurred_at)]
        stored = _store(context, walk.unit, records)
        _move_cursor(context.conn, walk, page, stored, is_nothing=answer.nothing is not None)
        report.add_page(page, len(records), stored)
        report.nothing = answer.nothing
        context.on_page(report, page.reached)


def _begin(
    conn: Connection, unit: WalkUnit, interval: TimeSpan, expected: int | None
) -> _WalkState:
    """Begins the walk over the interval, or resumes the one that was not finished."""
    integration_id, entity_type = unit.source.integration_id, unit.entity_type
    window = Window(interval.since, interval.until)
    unfinished = coverage.unfinished_walk(conn, integration_id, entity_type)
    if unfinished is not None and unfinished.interval == interval:
        coverage.resume_walk(conn, integration_id, entity_type)
        page_size = unfinished.page_size or unit.walker.page_size
        walk = _WalkState(unit, interval, window, unfinished.cursor, page_size, is_resumed=True)
        walk.is_capped = True  # by the run that began it
    else:
        cursor = unit.walker.start(unit.place, window)
        walk = _WalkState(unit, interval, window, cursor, unit.walker.page_size, is_resumed=False)
        walk.known_etag = coverage.etag_before(conn, integration_id, entity_type, interval.since)
        coverage.begin_walk(conn, integration_id, entity_type, interval, cursor, expected)
    conn.commit()
    walk.cursors_seen.add(_fingerprint(walk.cursor))
    return walk


def _ask(api: ApiClient, walk: _WalkState, cursor: Cursor) -> Answer:
    """The page's answer; the page size is halved while the page is too heavy.

    With an ETag the answer may be that nothing is new, which costs nothing at some providers.
    """
    unit = walk.unit
    while True:
        try:
            call = unit.walker.call(unit.place, walk.window, cursor, walk.page_size)
            return ask_for_page(api, unit.place, replace(call, etag=walk.known_etag))
        except CallFailedError as error:
            if error.outcome is not AnswerOutcome.HEAVY or walk.page_size == 1:
                raise
            walk.page_size //= 2


def _read(walk: _WalkState, cursor: Cursor, answer: Answer) -> Page:
    """The page in the answer. Raises CallFailedError if it cannot be read."""
    if answer.status == _UNCHANGED or answer.nothing is not None:
        return Page((), None, 0)
    unit = walk.unit
    try:
        return unit.walker.read(unit.place, walk.window, cursor, answer)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        shape = f"{type(error).__name__}: {str(error)[:200]}"
        raise CallFailedError(
            AnswerOutcome.MALFORMED,
            f"{unit.place.provider} {unit.entity_type}: the answer is not of a known shape ({shape}); "
            "the walk stopped at this page and counts as not fetched",
        ) from None


def _cap_interval(walk: _WalkState, answered_at: datetime | None) -> None:
    """Ends the interval before the provider's current time: our clock may be ahead of it, and the
    future must not count as covered."""
    if walk.is_capped or answered_at is None:
        return
    until = min(walk.interval.until, answered_at - LATE)
    walk.interval = TimeSpan(walk.interval.since, max(until, walk.interval.since))
    walk.is_capped = True


def _note_etag(walk: _WalkState, answer: Answer, page: Page, *, is_first: bool) -> None:
    """Keeps the first page's ETag, unless the page has records for a later window: that window's walk
    must read it."""
    if is_first and all(record.occurred_at < walk.window.until for record in page.records):
        walk.new_etag = walk.known_etag if answer.status == _UNCHANGED else page.etag
    walk.known_etag = None


def _refuse_repeated_cursor(conn: Connection, walk: _WalkState, page: Page, pages: int) -> None:
    """Raises CallFailedError if the page leads back to an earlier one; the walk is not resumed."""
    if page.next is None or _fingerprint(page.next) not in walk.cursors_seen:
        return
    coverage.forget_walk(conn, walk.unit.source.integration_id, walk.unit.entity_type)
    conn.commit()
    raise CallFailedError(
        AnswerOutcome.MALFORMED,
        f"{walk.unit.name}: the provider's page repeats its cursor after {pages:,} pages; "
        "the walk stopped there and counts as not fetched",
    )


def _store(context: WalkContext, unit: WalkUnit, records: Sequence[Record]) -> int:
    """Puts the records into the inbox; returns how many are new. Does not commit."""
    now = datetime.now(UTC)
    owner = (unit.source.installation_id, unit.source.org_id)
    deliveries = [
        delivery_of(
            record, unit.source.provider, owner, "backfill", first_day=context.first_day, now=now
        )
        for record in records
    ]
    return insert_deliveries(context.conn, deliveries)


def _move_cursor(
    conn: Connection, walk: _WalkState, page: Page, stored: int, *, is_nothing: bool
) -> None:
    """Commits the page's records with the cursor after them; after the last page also the coverage."""
    interval = walk.interval
    is_covered = page.next is None and interval.since < interval.until
    coverage.move_cursor(
        conn,
        walk.unit.source.integration_id,
        walk.unit.entity_type,
        cursor=page.next,
        page_size=walk.page_size,
        items=page.items,
        records=stored,
        walking=interval,
        covered=interval if is_covered else None,
        is_nothing=is_nothing,
        etag=walk.new_etag,
    )
    conn.commit()
    walk.cursor = page.next
    walk.cursors_seen.add(_fingerprint(page.next))


def _stop_early(
    conn: Connection, unit: WalkUnit, report: UnitReport, status: str, error: str | None
) -> None:
    conn.rollback()
    coverage.stop_walk(conn, unit.source.integration_id, unit.entity_type, status, error)
    conn.commit()
    report.status, report.error = status, error


def _fingerprint(cursor: Cursor | None) -> str:
    return json.dumps(cursor, sort_keys=True, default=str)
