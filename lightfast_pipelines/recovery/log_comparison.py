"""Compares one log of deliveries with what arrived, and recovers what was lost.

First the provider is asked to send a lost delivery again, as that one is signed and complete. If it has
not arrived after a while, it is taken from the log's parsed body.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.sources import delivery_of
from lightfast_pipelines.providers.api_contract import AnswerOutcome, Record
from lightfast_pipelines.providers.recovery_contract import DeliveryLog, LogEntry
from lightfast_pipelines.providers.webhook_contract import FIRST_SENT_AT
from lightfast_pipelines.recovery.cycle import (
    APP_LOG,
    UNREADABLE,
    LogReport,
    RecoveryCycle,
    explained,
    note_check,
)
from lightfast_pipelines.recovery.stored_deliveries import SentDelivery, StoredDeliveries
from lightfast_pipelines.store import activity, outages
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.outages import Outage
from lightfast_pipelines.store.sources import Source

_log = logging.getLogger(__name__)

KEPT = timedelta(days=3)
"""How far back a log goes."""
OVERLAP = timedelta(minutes=10)
"""An attempt can enter the log later than its timestamp says, so this much is compared again."""
ONE_OUTAGE = timedelta(hours=1)
"""Losses that are further apart belong to different outages."""
_LOOK_SECONDS = 0.5
# After these, nothing more can be read from the log for now.
_LOG_IS_AWAY = (AnswerOutcome.UNAVAILABLE, AnswerOutcome.CREDENTIAL, AnswerOutcome.LIMITED)


class LogComparison:
    """The comparison of one log with what arrived; the caller holds its lock."""

    def __init__(
        self,
        cycle: RecoveryCycle,
        conn: Connection,
        api: ApiClient,
        source: Source,
        log: DeliveryLog,
    ) -> None:
        self._cycle, self._conn, self._api = cycle, conn, api
        self._source, self._log = source, log
        self._report = LogReport.of(source, log.name)
        self._connections = outages.connections(conn, source.provider)
        self._arrivals = StoredDeliveries(conn, api, source.provider, log, cycle.clock)

    def run(self) -> LogReport:
        now = self._cycle.clock()
        known_outages = outages.open_outages(self._conn, self._log.name, self._installations())
        try:
            sent = self._read_log(self._since(known_outages, now))
            sources = self._arrivals.arrived(sent)
        except CallFailedError as error:
            return self._fail(explained(error))
        except UNREADABLE as error:
            return self._fail(f"its answer is not of a known form: {str(error)[:200]}")
        missing = [delivery for delivery in sent if delivery.delivery_id not in sources]
        known_ids = {delivery_id for outage in known_outages for delivery_id in outage.deliveries}
        asked_before = [delivery for delivery in missing if delivery.delivery_id in known_ids]
        lost = [delivery for delivery in missing if delivery.delivery_id not in known_ids]
        new_outages = self._record_outages(lost)
        self._ask_again(lost)
        sources |= self._wait_for(lost)
        never_came = [delivery for delivery in lost if delivery.delivery_id not in sources]
        sources |= self._take_from_log([*asked_before, *never_came])
        self._settle(known_outages, new_outages, sources)
        self._report.read, self._report.missed = len(sent), len(lost)
        self._note_check(until=None if self._report.error else now)
        return self._report

    def _since(self, known_outages: Sequence[Outage], now: datetime) -> datetime:
        """Where reading the log starts: early enough to find what is still missing."""
        checked = outages.checked_until(self._conn, self._source.installation_id, self._log.name)
        self._conn.rollback()
        starts = [outage.down_from for outage in known_outages]
        # A time in the future was recorded while the clock was ahead.
        starts.append(checked - OVERLAP if checked and checked <= now else now - KEPT)
        return max(now - KEPT, min(starts))

    def _installations(self) -> list[int]:
        if self._log.name != APP_LOG:
            return [self._source.installation_id]
        return [self._source.installation_id, *(number for number, _ in self._connections.values())]

    def _fail(self, message: str) -> LogReport:
        self._conn.rollback()
        self._report.error = message
        self._note_check(until=None)
        _log.warning("%s %s: %s", self._source.provider, self._log.name, message)
        return self._report

    def _note_check(self, *, until: datetime | None) -> None:
        error = self._report.error
        note_check(self._cycle, self._conn, self._source, self._log.name, until=until, error=error)

    def _read_log(self, since: datetime) -> list[SentDelivery]:
        """Every delivery that was attempted since then, the latest first."""
        entries: list[LogEntry] = []
        cursor = None
        cursors_seen = set()
        while True:
            page = self._log.read(self._api.ask(self._log.page(cursor, self._cycle.clock())))
            entries += [entry for entry in page.entries if entry.delivered_at >= since]
            if page.next is None or any(entry.delivered_at < since for entry in page.entries):
                break
            cursor = page.next
            if str(cursor) in cursors_seen:
                raise ValueError("its page repeats its cursor")
            cursors_seen.add(str(cursor))
        tries_by_id: dict[str, list[LogEntry]] = {}
        for entry in sorted(entries, key=lambda entry: entry.delivered_at, reverse=True):
            tries_by_id.setdefault(entry.delivery_id, []).append(entry)
        return [
            SentDelivery(delivery_id, tries[0].event, *self._owner(tries[0]), tries)
            for delivery_id, tries in tries_by_id.items()
        ]

    def _owner(self, entry: LogEntry) -> tuple[int, str]:
        """The installation and organisation of a delivery; the source's own if they are not known.

        Only the App's log covers every connection: what a hook's log says about others is no reason to
        store anything for them.
        """
        asking = self._source.installation_id, self._source.org_id
        if self._log.name != APP_LOG:
            return asking
        return self._connections.get(entry.installation or "", asking)

    def _record_outages(self, lost: Iterable[SentDelivery]) -> list[Outage]:
        """Records these losses as outages, one for each installation and period."""
        losses_by_installation: dict[int, list[tuple[datetime, str]]] = {}
        for delivery in lost:
            losses = losses_by_installation.setdefault(delivery.installation_id, [])
            losses.append((delivery.tries[-1].delivered_at, delivery.delivery_id))
        recorded = []
        for installation_id, losses in sorted(losses_by_installation.items()):
            for group in _close_in_time(sorted(losses)):
                ids = [delivery_id for _, delivery_id in group]
                recorded.append(
                    outages.add_outage(
                        self._conn, installation_id, self._log.name, group[0][0], group[-1][0], ids
                    )
                )
        self._conn.commit()
        return recorded

    def _ask_again(self, lost: Iterable[SentDelivery]) -> None:
        """Asks for these to be sent again. A refusal is noted; the delivery is then taken from the log."""
        for delivery in lost:
            try:
                self._api.ask(self._log.redelivery(delivery.tries[0], self._cycle.clock()))
            except CallFailedError as error:
                self._report.notes.append(
                    f"{delivery.delivery_id} is not sent again: {error.message}"
                )
                if error.outcome is AnswerOutcome.CREDENTIAL:
                    return

    def _wait_for(self, lost: Iterable[SentDelivery]) -> dict[str, str]:
        """Waits until all of these have arrived or nothing more has come for a while; returns those
        that arrived."""
        missing = {delivery.delivery_id: delivery for delivery in lost}
        sources: dict[str, str] = {}
        waited = 0.0
        while missing and waited < self._cycle.patience_seconds:
            came = self._arrivals.came_since(missing.values())
            if came:
                sources |= came
                missing = {key: value for key, value in missing.items() if key not in came}
                waited = 0.0
                continue
            self._cycle.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        return sources

    def _take_from_log(self, missing: Iterable[SentDelivery]) -> dict[str, str]:
        """Stores these as the log kept them, and notes those that the log has lost."""
        sources: dict[str, str] = {}
        for delivery in missing:
            try:
                record = self._record(delivery)
            except CallFailedError as error:
                self._note_not_taken(delivery, error.message)
                if error.outcome in _LOG_IS_AWAY:
                    self._report.error = error.message
                    break
            except UNREADABLE as error:
                self._note_not_taken(delivery, str(error))
            else:
                insert_deliveries(self._conn, [record])
                self._conn.commit()
                sources[delivery.delivery_id] = "api"
        return sources

    def _note_not_taken(self, delivery: SentDelivery, why: str) -> None:
        self._report.notes.append(f"{delivery.delivery_id} cannot be taken from the log: {why}")

    def _record(self, delivery: SentDelivery) -> Delivery:
        """Raises CallFailedError, or one of UNREADABLE if the log has no body."""
        first_try, now = delivery.tries[-1], self._cycle.clock()
        logged = self._log.logged_delivery(self._api.ask(self._log.detail(first_try, now)))
        sent_at = first_try.delivered_at
        headers = {**logged.headers, FIRST_SENT_AT: sent_at.isoformat()}
        return delivery_of(
            Record(logged.event_type, logged.payload, sent_at, delivery.delivery_id, headers),
            self._source.provider,
            (delivery.installation_id, delivery.org_id),
            "api",
            first_day=self._cycle.first_day,
            now=now,
        )

    def _settle(
        self,
        known_outages: Sequence[Outage],
        new_outages: Sequence[Outage],
        sources: dict[str, str],
    ) -> None:
        """Records what was recovered of each outage, and reports what is new to an operator."""
        report = self._report
        new_ids = {outage.id for outage in new_outages}
        # An outage that was known and has grown is in both; the later entry includes its new
        # deliveries.
        for outage in {outage.id: outage for outage in (*known_outages, *new_outages)}.values():
            recovered_from = [
                sources[delivery_id] for delivery_id in outage.deliveries if delivery_id in sources
            ]
            missing = [
                delivery_id for delivery_id in outage.deliveries if delivery_id not in sources
            ]
            by_api = recovered_from.count("api")
            redelivered = len(recovered_from) - by_api
            outages.note_recovery(
                self._conn, outage, missing=missing, redelivered=redelivered, by_api=by_api
            )
            report.redelivered += redelivered
            report.by_api += by_api
            report.missing += len(missing)
            report.down_from = min(report.down_from or outage.down_from, outage.down_from)
            report.down_until = max(report.down_until or outage.down_until, outage.down_until)
            if recovered_from or outage.id in new_ids:
                self._tell(outage, redelivered, by_api, len(missing))
        self._conn.commit()

    def _tell(self, outage: Outage, redelivered: int, by_api: int, missing: int) -> None:
        span = f"{outage.down_from:%Y-%m-%d %H:%M:%S}Z to {outage.down_until:%Y-%m-%d %H:%M:%S}Z"
        message = (
            f"down from {span}: {outage.missed:,} deliveries missed, "
            f"{outage.missed - missing:,} recovered ({redelivered:,} sent again, {by_api:,} taken "
            f"from the log), {missing:,} still missing"
        )
        _log.warning("%s %s: %s", self._source.provider, self._log.name, message)
        activity.record(
            self._conn,
            "outage.found" if missing else "outage.recovered",
            self._cycle.actor,
            message,
            org_id=self._connections[outage.installation][1],
            provider=self._source.provider,
            subject=f"{self._log.name} of installation {outage.installation}",
            detail={
                "missed": outage.missed,
                "redelivered": redelivered,
                "by_api": by_api,
                "missing": missing,
            },
        )


def _close_in_time(losses: Sequence[tuple[datetime, str]]) -> Iterable[list[tuple[datetime, str]]]:
    """The losses in order of time, in groups that are further apart than ONE_OUTAGE."""
    group: list[tuple[datetime, str]] = []
    for loss in losses:
        if group and loss[0] - group[-1][0] > ONE_OUTAGE:
            yield group
            group = []
        group.append(loss)
    if group:
        yield group
