"""Reads a stretch of the providers' history for some linked resources: estimate, walks, account.

A thread an installation, whose units follow each other, as they share one budget. What a unit does
stands in `walk.py`; Dagster's asset, the command and the schedule call `run_backfill`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime

from lightfast_pipelines.backfill.estimate import (
    Expected,
    UnitEstimate,
    estimate_unit,
    expected,
)
from lightfast_pipelines.backfill.identify import identified
from lightfast_pipelines.backfill.ledger import Ledger
from lightfast_pipelines.backfill.request import (
    BackfillError,
    BackfillProgress,
    BackfillRequest,
    Hearing,
    Result,
    by_installation,
    units_of,
)
from lightfast_pipelines.backfill.walk import (
    CancelledError,
    UnitReport,
    Walking,
    WalkUnit,
    walk_unit,
)
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.providers.api_contract import AnswerOutcome, discover_apis
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection, Database

# How often somebody's wish to end it is looked for.
_CANCEL_SECONDS = 1.0


def estimate_backfill(
    database: Database, apis: Apis, request: BackfillRequest
) -> tuple[Expected, list[UnitEstimate], dict[int, str]]:
    """What it would cost, without reading it; and which integrations cannot be read, with why."""
    units, refused = units_of(request, discover_apis())
    run = _Run(database, apis, request, Hearing())
    with database.connect(application_name="lightfast estimate") as conn, ExitStack() as stack:
        found = run.estimates(conn, units, stack)
    return run.result.expected, found, refused | run.result.refused


def run_backfill(
    database: Database, apis: Apis, request: BackfillRequest, *, first_day: date, hearing: Hearing
) -> Result:
    """Estimates, then walks every unit; a unit that fails leaves the others alone.

    An exception that ends the caller (an interrupt) ends every walk within a page, and is raised
    again after what was stored is accounted for. Raises BackfillError where there is nothing to read.
    """
    if not request.sources:
        raise BackfillError(
            "no linked resource to read the history of: link one with `lightfast integration add`"
        )
    units, refused = units_of(request, discover_apis())
    run = _Run(database, apis, request, hearing)
    run.result.refused = refused
    with database.connect(application_name="lightfast backfill") as conn:
        run.whole(conn, units, first_day)
    return run.result


class _Run:
    """One run: its threads, and what they tell."""

    def __init__(
        self, database: Database, apis: Apis, request: BackfillRequest, hearing: Hearing
    ) -> None:
        self._database, self._apis, self._request, self._hearing = database, apis, request, hearing
        self.result = Result()
        self._stop = threading.Event()
        self._told: queue.Queue[Callable[[], None]] = queue.Queue()
        self._opened: dict[int, ApiClient] = {}
        self._by_unit: dict[str, tuple[int, int, int]] = {}
        self._began = time.monotonic()

    def estimates(
        self, conn: Connection, units: Sequence[WalkUnit], stack: ExitStack
    ) -> list[UnitEstimate]:
        """Of every unit whose installation lets itself be asked; the others are refused."""
        asked = TimeSpan(self._request.since, self._request.until)
        found: list[UnitEstimate] = []
        for group in by_installation(units):
            source = group[0].source
            try:
                api = stack.enter_context(self._apis.open(source, self._check))
                found += [
                    estimate_unit(conn, api, one, asked, self._check)
                    for one in identified(conn, api, group, asked)
                ]
            except CallFailedError as error:
                why = f"{source.provider}: {error.message}"
                self.result.refused |= {one.source.integration_id: why for one in group}
                continue
            self._opened[source.installation_id] = api
        self.result.expected = expected(found, self._opened)
        return found

    def whole(self, conn: Connection, units: Sequence[WalkUnit], first_day: date) -> None:
        ledger = Ledger(conn, self._request)
        ledger.start(datetime.now(UTC))
        self.result.backfill_ids = ledger.ids
        with ExitStack() as stack:
            try:
                estimates = self.estimates(conn, units, stack)
                ledger.estimated(self.result.expected)
                self._hearing.on_estimate(self.result.expected, estimates)
                self._walk(ledger, estimates, first_day)
            except Exception as error:
                # A mistake of ours, or a database that went away: no wish of anybody's.
                self.result.broken = f"{type(error).__name__}: {error}"
                self._account(ledger, "failed")
                raise
            except BaseException:
                self._account(ledger, "cancelled")
                raise
        self._account(ledger, "cancelled" if self._stop.is_set() else None)

    def _walk(self, ledger: Ledger, estimates: Sequence[UnitEstimate], first_day: date) -> None:
        threads = []
        for api_of, api in self._opened.items():
            group = [one for one in estimates if one.unit.source.installation_id == api_of]
            # As one that must not outlive the process: its pages are transactions, nothing is lost.
            threads.append(
                threading.Thread(target=self._units, args=(api, group, first_day), daemon=True)
            )
        try:
            for thread in threads:
                thread.start()
            self._listen(ledger, threads)
        except BaseException:
            self._stop.set()
            for thread in threads:
                thread.join(60)
            raise

    def _listen(self, ledger: Ledger, threads: Sequence[threading.Thread]) -> None:
        """Hears what the threads tell, in this one, until the last of them has ended."""
        looked = time.monotonic()
        while True:
            alive = any(thread.is_alive() for thread in threads)
            try:
                self._told.get(timeout=0.2 if alive else 0)()
            except queue.Empty:
                if not alive:
                    return
            now = time.monotonic()
            if now - looked > _CANCEL_SECONDS:
                looked = now
                ledger.note(self._numbers())
                if ledger.is_cancelled():
                    self._stop.set()

    def _units(self, api: ApiClient, estimates: Sequence[UnitEstimate], first_day: date) -> None:
        """All units of one installation; runs in a thread of its own."""
        asked = TimeSpan(self._request.since, self._request.until)
        with self._database.connect(application_name="lightfast backfill walk") as conn:
            walking = Walking(
                conn, api, first_day, self._check, lambda *told: self._page(api, *told)
            )
            final: str | None = None
            for one in estimates:
                report = UnitReport(one.unit, "failed", final, AnswerOutcome.CREDENTIAL)
                try:
                    # After a refused credential nothing more is asked with it.
                    if final is None:
                        expected_items = one.items if one.exact else None
                        report = walk_unit(walking, one.unit, asked, expected=expected_items)
                except CancelledError:
                    self._told.put(self._kept(UnitReport(one.unit, "cancelled")))
                    return
                except Exception as error:
                    conn.rollback()
                    report = UnitReport(one.unit, "failed", f"{type(error).__name__}: {error}")
                if report.outcome is AnswerOutcome.CREDENTIAL:
                    final = report.error
                self._told.put(self._kept(report))

    def _kept(self, report: UnitReport) -> Callable[[], None]:
        return lambda: self.result.units.append(report)

    def _check(self) -> None:
        if self._stop.is_set():
            raise CancelledError

    def _page(self, api: ApiClient, report: UnitReport, reached: datetime | None) -> None:
        """In a walk's thread: hands on what the page came to."""
        counts = (report.pages, report.records, report.stored)
        unit, left = report.unit.name, api.budget.tightest().remaining
        self._told.put(lambda: self._progress(unit, counts, reached, left))

    def _progress(
        self, unit: str, counts: tuple[int, int, int], reached: datetime | None, left: float | None
    ) -> None:
        self._by_unit[unit] = counts
        numbers = self._numbers()
        wanted = self.result.expected.requests
        spent = time.monotonic() - self._began
        still = max(0.0, wanted - numbers["requests"]) * spent / max(1, numbers["requests"])
        self._hearing.on_progress(
            BackfillProgress(
                unit=unit,
                expected_requests=wanted,
                reached=reached,
                left=left,
                ends_at=datetime.fromtimestamp(time.time() + still, UTC),
                **numbers,
            )
        )

    def _numbers(self) -> dict[str, int]:
        columns = list(zip(*self._by_unit.values(), strict=True)) or [(0,), (0,), (0,)]
        pages, records, stored = (sum(column) for column in columns)
        requests = sum(api.spent.requests for api in self._opened.values())
        return {"requests": requests, "pages": pages, "records": records, "stored": stored}

    def _account(self, ledger: Ledger, status: str | None) -> None:
        while not self._told.empty():
            self._told.get_nowait()()
        result, opened = self.result, self._opened.values()
        result.seconds = time.monotonic() - self._began
        result.requests = sum(api.spent.requests for api in opened)
        result.waited_seconds = sum(api.spent.waited_seconds for api in opened)
        result.status = status or ("failed" if result.failures else "completed")
        ledger.end(result, datetime.now(UTC))
