"""Runs a backfill: estimates it, walks its units, and records both.

Each installation has a thread that walks its units one after the other, as they share a budget.
Dagster's asset, the command and the schedule call `run_backfill`; `walk.py` walks one unit.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime

from lightfast_pipelines.backfill.estimate import (
    TotalEstimate,
    UnitEstimate,
    estimate_unit,
    total_estimate,
)
from lightfast_pipelines.backfill.identify import with_current_names
from lightfast_pipelines.backfill.ledger import Ledger
from lightfast_pipelines.backfill.request import (
    BackfillError,
    BackfillListener,
    BackfillProgress,
    BackfillRequest,
    BackfillResult,
    by_installation,
    units_of,
)
from lightfast_pipelines.backfill.units import UnitReport, WalkUnit
from lightfast_pipelines.backfill.walk import CancelledError, WalkContext, walk_unit
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.providers.api_contract import AnswerOutcome, discover_apis
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection, Database

# How often the run checks whether somebody cancelled it.
_CANCEL_SECONDS = 1.0


def estimate_backfill(
    database: Database, apis: Apis, request: BackfillRequest
) -> tuple[TotalEstimate, list[UnitEstimate], dict[int, str]]:
    """What the backfill would cost, and which integrations cannot be read and why; reads no history."""
    units, refused = units_of(request, discover_apis())
    run = _BackfillRun(database, apis, request, BackfillListener())
    with database.connect(application_name="lightfast estimate") as conn, ExitStack() as stack:
        estimates = run.estimate_units(conn, units, stack)
    return run.result.expected, estimates, refused | run.result.refused


def run_backfill(
    database: Database,
    apis: Apis,
    request: BackfillRequest,
    *,
    first_day: date,
    listener: BackfillListener,
) -> BackfillResult:
    """Estimates, then walks every unit. A unit that fails does not stop the others.

    An exception that ends the caller (an interrupt) ends every walk within a page; it is raised again
    once the record is written. Raises BackfillError if there is nothing to read.
    """
    if not request.sources:
        raise BackfillError(
            "no linked resource to read the history of: link one with `lightfast integration add`"
        )
    units, refused = units_of(request, discover_apis())
    run = _BackfillRun(database, apis, request, listener)
    run.result.refused = refused
    with database.connect(application_name="lightfast backfill") as conn:
        run.run(conn, units, first_day)
    return run.result


class _BackfillRun:
    """One run. Its threads send events to the caller's thread, which alone changes the result."""

    def __init__(
        self, database: Database, apis: Apis, request: BackfillRequest, listener: BackfillListener
    ) -> None:
        self._database, self._apis = database, apis
        self._request, self._listener = request, listener
        self.result = BackfillResult()
        self._stop = threading.Event()
        self._events: queue.Queue[Callable[[], None]] = queue.Queue()
        self._api_by_installation: dict[int, ApiClient] = {}
        self._counts_by_unit: dict[str, tuple[int, int, int]] = {}
        self._began = time.monotonic()

    def estimate_units(
        self, conn: Connection, units: Sequence[WalkUnit], stack: ExitStack
    ) -> list[UnitEstimate]:
        """Estimates every unit whose credential is accepted; the others end up in `result.refused`."""
        asked = TimeSpan(self._request.since, self._request.until)
        estimates: list[UnitEstimate] = []
        for group in by_installation(units):
            source = group[0].source
            try:
                api = stack.enter_context(self._apis.open(source, self._check))
                estimates += [
                    estimate_unit(conn, api, unit, asked, self._check)
                    for unit in with_current_names(conn, api, group, asked)
                ]
            except CallFailedError as error:
                why = f"{source.provider}: {error.message}"
                self.result.refused |= {unit.source.integration_id: why for unit in group}
                continue
            self._api_by_installation[source.installation_id] = api
        self.result.expected = total_estimate(estimates, self._api_by_installation)
        return estimates

    def run(self, conn: Connection, units: Sequence[WalkUnit], first_day: date) -> None:
        ledger = Ledger(conn, self._request)
        ledger.start(datetime.now(UTC))
        self.result.backfill_ids = ledger.ids
        with ExitStack() as stack:
            try:
                estimates = self.estimate_units(conn, units, stack)
                ledger.note_estimate(self.result.expected)
                self._listener.on_estimate(self.result.expected, estimates)
                self._walk_in_threads(ledger, estimates, first_day)
            except Exception as error:
                # A bug, or a database that went away: nobody cancelled the run.
                self.result.broken = f"{type(error).__name__}: {error}"
                self._end(ledger, "failed")
                raise
            except BaseException:
                self._end(ledger, "cancelled")
                raise
        self._end(ledger, "cancelled" if self._stop.is_set() else None)

    def _walk_in_threads(
        self, ledger: Ledger, estimates: Sequence[UnitEstimate], first_day: date
    ) -> None:
        # Daemons, so that none outlives the process. Each page is a transaction, so nothing is lost.
        threads = [
            threading.Thread(
                target=self._walk_installation,
                args=(
                    api,
                    [
                        estimate
                        for estimate in estimates
                        if estimate.unit.source.installation_id == number
                    ],
                    first_day,
                ),
                daemon=True,
            )
            for number, api in self._api_by_installation.items()
        ]
        try:
            for thread in threads:
                thread.start()
            self._follow(ledger, threads)
        except BaseException:
            self._stop.set()
            for thread in threads:
                thread.join(60)
            raise

    def _follow(self, ledger: Ledger, threads: Sequence[threading.Thread]) -> None:
        """Handles the threads' events until the last thread has ended, and checks for a cancellation."""
        looked_at = time.monotonic()
        while True:
            is_alive = any(thread.is_alive() for thread in threads)
            try:
                self._events.get(timeout=0.2 if is_alive else 0)()
            except queue.Empty:
                if not is_alive:
                    return
            now = time.monotonic()
            if now - looked_at > _CANCEL_SECONDS:
                looked_at = now
                ledger.note_progress(self._counts())
                if ledger.is_cancelled():
                    self._stop.set()

    def _walk_installation(
        self, api: ApiClient, estimates: Sequence[UnitEstimate], first_day: date
    ) -> None:
        """Walks all units of one installation, in a thread of its own."""
        asked = TimeSpan(self._request.since, self._request.until)
        with self._database.connect(application_name="lightfast backfill walk") as conn:
            context = WalkContext(
                conn,
                api,
                first_day,
                self._check,
                lambda report, reached: self._hand_on_page(api, report, reached),
            )
            credential_error: str | None = None
            for estimate in estimates:
                report = UnitReport(
                    estimate.unit, "failed", credential_error, AnswerOutcome.CREDENTIAL
                )
                try:
                    # Once a credential is refused, no more requests are sent with it.
                    if credential_error is None:
                        items = estimate.items if estimate.exact else None
                        report = walk_unit(context, estimate.unit, asked, expected=items)
                except CancelledError:
                    self._hand_on_report(UnitReport(estimate.unit, "cancelled"))
                    return
                except Exception as error:
                    conn.rollback()
                    message = f"{type(error).__name__}: {error}"
                    report = UnitReport(estimate.unit, "failed", message)
                if report.outcome is AnswerOutcome.CREDENTIAL:
                    credential_error = report.error
                self._hand_on_report(report)

    def _hand_on_report(self, report: UnitReport) -> None:
        self._events.put(lambda: self.result.units.append(report))

    def _check(self) -> None:
        if self._stop.is_set():
            raise CancelledError

    def _hand_on_page(self, api: ApiClient, report: UnitReport, reached: datetime | None) -> None:
        counts = (report.pages, report.records, report.stored)
        unit, left = report.unit.name, api.budget.tightest().remaining
        self._events.put(lambda: self._show_progress(unit, counts, reached, left))

    def _show_progress(
        self, unit: str, counts: tuple[int, int, int], reached: datetime | None, left: float | None
    ) -> None:
        self._counts_by_unit[unit] = counts
        totals = self._counts()
        expected = self.result.expected.requests
        seconds = time.monotonic() - self._began
        seconds_left = (
            max(0.0, expected - totals["requests"]) * seconds / max(1, totals["requests"])
        )
        self._listener.on_progress(
            BackfillProgress(
                unit=unit,
                expected_requests=expected,
                reached=reached,
                left=left,
                ends_at=datetime.fromtimestamp(time.time() + seconds_left, UTC),
                **totals,
            )
        )

    def _counts(self) -> dict[str, int]:
        columns = list(zip(*self._counts_by_unit.values(), strict=True)) or [(0,), (0,), (0,)]
        pages, records, stored = (sum(column) for column in columns)
        requests = sum(api.spent.requests for api in self._api_by_installation.values())
        return {"requests": requests, "pages": pages, "records": records, "stored": stored}

    def _end(self, ledger: Ledger, status: str | None) -> None:
        """Handles the last events and writes the record."""
        while not self._events.empty():
            self._events.get_nowait()()
        result, apis = self.result, self._api_by_installation.values()
        result.seconds = time.monotonic() - self._began
        result.requests = sum(api.spent.requests for api in apis)
        result.waited_seconds = sum(api.spent.waited_seconds for api in apis)
        result.status = status or ("failed" if result.failures else "completed")
        ledger.end(result, datetime.now(UTC))
