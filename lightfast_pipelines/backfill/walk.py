"""Walks one entity type of one linked resource: page by page into the inbox, never a page twice.

A page's records and the cursor behind it are one transaction, so a walk that is killed goes on at the
page it was at. What is asked and what an answer holds is the provider's, when to ask the client's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lightfast_pipelines.provider_api.absence import ask_for_page
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.sources import delivery_of, place_of
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    LinkedResource,
    Page,
    UnreadableItem,
    Walker,
    Window,
)
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.backfills import Source
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import insert_deliveries
from lightfast_pipelines.store.locks import job_lock

# Providers show a fact some seconds after it happened: what is younger is left to the next walk.
LATE = timedelta(seconds=60)
UNCHANGED = 304
_TROUBLES_KEPT = 20


class CancelledError(Exception):
    """Somebody asked for the end; what is stored stays covered or goes on at its cursor."""


@dataclass(frozen=True, slots=True)
class WalkUnit:
    """One entity type of one linked resource, and what of the asked time is still to be fetched."""

    source: Source
    walker: Walker

    @property
    def entity_type(self) -> str:
        return self.walker.entity_type

    @property
    def name(self) -> str:
        return f"{self.source.name} {self.entity_type}"

    @property
    def place(self) -> LinkedResource:
        return place_of(self.source)


@dataclass(slots=True)
class UnitReport:
    """What became of a unit. `records` were read, `stored` of them were new."""

    unit: WalkUnit
    status: str = "completed"
    error: str | None = None
    outcome: AnswerOutcome | None = None
    pages: int = 0
    items: int = 0
    records: int = 0
    stored: int = 0
    requests: int = 0
    troubles: list[UnreadableItem] = field(default_factory=list)
    troubled: int = 0
    nothing: str | None = None
    """The provider's words, where it has nothing to read."""

    def shown(self) -> dict[str, Any]:
        """A row for whoever asked."""
        numbers = ("pages", "items", "records", "stored", "requests", "troubled")
        return {
            "unit": self.unit.name,
            "status": self.status,
            **{name: getattr(self, name) for name in numbers},
            "error": self.error,
            "note": self.nothing,
        }

    def note(self, page: Page, records: int, stored: int) -> None:
        self.pages += 1
        self.items += page.items
        self.records += records
        self.stored += stored
        self.troubled += len(page.troubles)
        self.troubles.extend(page.troubles[: max(0, _TROUBLES_KEPT - len(self.troubles))])


@dataclass(frozen=True, slots=True)
class Walking:
    """What a walk needs besides its unit. `check` may raise CancelledError; `on_page` hears of each
    page (the report so far, the moment the walk has come to)."""

    conn: Connection
    api: ApiClient
    first_day: date
    check: Callable[[], None]
    on_page: Callable[[UnitReport, datetime | None], None]


def walk_unit(
    walking: Walking, unit: WalkUnit, asked: TimeSpan, *, expected: int | None = None
) -> UnitReport:
    """Fetches what of `asked` is not covered yet. Other units go on whatever becomes of this one.

    Raises CancelledError; every failure of the provider ends in the report.
    """
    report = UnitReport(unit)
    conn, source = walking.conn, unit.source
    before = walking.api.spent.requests
    with job_lock(conn, f"history:{source.integration_id}:{unit.entity_type}", wait=False) as got:
        if not got:
            report.status, report.error = "skipped", "another process is walking it"
            return report
        try:
            for interval in _intervals(conn, unit, asked):
                _walk(walking, unit, interval, report, expected)
        except CallFailedError as error:
            _leave_off(conn, unit, report, "failed", error.message)
            report.outcome = error.outcome
        except ValueError as error:
            # A place without what a request needs, or an answer of a shape that nobody knows.
            _leave_off(conn, unit, report, "failed", str(error))
        except BaseException:
            _leave_off(conn, unit, report, "cancelled", None)
            raise
        finally:
            report.requests = walking.api.spent.requests - before
    return report


def _intervals(conn: Connection, unit: WalkUnit, asked: TimeSpan) -> Iterator[TimeSpan]:
    """First the walk that was left off, if it is about this time; then what else is uncovered."""
    identifier, kind = unit.source.integration_id, unit.entity_type
    left = coverage.standing(conn, identifier, kind)
    if left and left.interval.since < asked.until and asked.since < left.interval.until:
        yield left.interval
    yield from coverage.uncovered(conn, identifier, kind, asked)
    conn.rollback()


def _leave_off(
    conn: Connection, unit: WalkUnit, report: UnitReport, status: str, error: str | None
) -> None:
    conn.rollback()
    coverage.leave_off(conn, unit.source.integration_id, unit.entity_type, status, error)
    conn.commit()
    report.status, report.error = status, error


def _walk(
    walking: Walking, unit: WalkUnit, interval: TimeSpan, report: UnitReport, expected: int | None
) -> None:
    conn, walker, place = walking.conn, unit.walker, unit.place
    identifier, kind = unit.source.integration_id, unit.entity_type
    window = Window(interval.since, interval.until)
    left = coverage.standing(conn, identifier, kind)
    resumed = left is not None and left.interval == interval
    known: str | None = None
    if left is not None and resumed:
        cursor, size = left.cursor, left.page_size or walker.page_size
        coverage.go_on(conn, identifier, kind)
    else:
        cursor, size = walker.start(place, window), walker.page_size
        known = coverage.etag_before(conn, identifier, kind, interval.since)
        coverage.begin(conn, identifier, kind, interval, cursor, expected)
    conn.commit()
    seen = {_fingerprint(cursor)}
    capped, etag = resumed, None
    while True:
        walking.check()
        answer, size = _asked(walking.api, walker, place, window, cursor, size, known)
        page = _read(walker, place, window, cursor, answer)
        if not report.pages and not resumed and _is_all_inside(page, window):
            etag = known if answer.status == UNCHANGED else page.etag
        known = None
        if not capped and walking.api.answered_at is not None:
            # By the provider's clock: ours may be ahead, and the future is not covered.
            until = min(interval.until, walking.api.answered_at - LATE)
            interval, capped = TimeSpan(interval.since, max(until, interval.since)), True
        if page.next is not None and _fingerprint(page.next) in seen:
            # Not to be resumed where it goes in circles.
            coverage.forget_walk(conn, identifier, kind)
            conn.commit()
            raise CallFailedError(
                AnswerOutcome.MALFORMED,
                f"{unit.name}: the provider's page repeats its cursor after {report.pages + 1:,} pages; "
                "the walk stopped there and counts as not fetched",
            )
        stored, records = _store(walking, unit, window, page)
        coverage.advance(
            conn,
            identifier,
            kind,
            cursor=page.next,
            page_size=size,
            items=page.items,
            records=stored,
            walking=interval,
            covered=interval if page.next is None and interval.since < interval.until else None,
            is_nothing=answer.nothing is not None,
            etag=etag,
        )
        conn.commit()
        report.note(page, records, stored)
        report.nothing = answer.nothing
        walking.on_page(report, page.reached)
        if page.next is None:
            return
        cursor = page.next
        seen.add(_fingerprint(cursor))


def _asked(
    api: ApiClient,
    walker: Walker,
    place: LinkedResource,
    window: Window,
    cursor: coverage.Cursor,
    size: int,
    etag: str | None,
) -> tuple[Answer, int]:
    """The page's answer, and the size it was asked with: halved while it is too heavy.

    With `etag` the answer may be that nothing is new, which costs nothing where the provider says so.
    """
    while True:
        try:
            call = replace(walker.call(place, window, cursor, size), etag=etag)
            return ask_for_page(api, place, call), size
        except CallFailedError as error:
            if error.outcome is not AnswerOutcome.HEAVY or size == 1:
                raise
            size //= 2


def _read(
    walker: Walker, place: LinkedResource, window: Window, cursor: coverage.Cursor, answer: Answer
) -> Page:
    if answer.status == UNCHANGED or answer.nothing is not None:
        return Page((), None, 0)
    try:
        return walker.read(place, window, cursor, answer)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        shape = f"{type(error).__name__}: {str(error)[:200]}"
        raise CallFailedError(
            AnswerOutcome.MALFORMED,
            f"{place.provider} {walker.entity_type}: the answer is not of a known shape ({shape}); "
            "the walk stopped at this page and counts as not fetched",
        ) from None


def _is_all_inside(page: Page, window: Window) -> bool:
    """Whether nothing of the page is left to a later window: only then may that one skip it."""
    return all(record.occurred_at < window.until for record in page.records)


def _store(walking: Walking, unit: WalkUnit, window: Window, page: Page) -> tuple[int, int]:
    """(rows that are new, records of the window). Does not commit."""
    now = datetime.now(UTC)
    records = [record for record in page.records if window.holds(record.occurred_at)]
    owner = (unit.source.installation_id, unit.source.org_id)
    deliveries = [
        delivery_of(
            record,
            unit.source.provider,
            owner,
            "backfill",
            first_day=walking.first_day,
            now=now,
        )
        for record in records
    ]
    return insert_deliveries(walking.conn, deliveries), len(records)


def _fingerprint(cursor: coverage.Cursor) -> str:
    return json.dumps(cursor, sort_keys=True, default=str)
