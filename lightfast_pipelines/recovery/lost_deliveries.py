"""Finds deliveries that never arrived in the providers' logs, and gets them: sent again, or as logged.

A provider is asked to send again first, as what it sends is signed and whole; what has not arrived
after a while is taken from the log's parsed body. What a log says is the provider's to know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.provider_api.sources import delivery_of, place_of
from lightfast_pipelines.providers.api_contract import (
    AnswerOutcome,
    AppKeys,
    Record,
    discover_apis,
)
from lightfast_pipelines.providers.recovery_contract import (
    DeliveryLog,
    LogEntry,
    LoggedDelivery,
    Recovery,
    discover_recovery,
)
from lightfast_pipelines.providers.webhook_contract import FIRST_SENT_AT
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store import activity, outages
from lightfast_pipelines.store.backfills import Source
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.outages import Outage

_log = logging.getLogger(__name__)

KEPT = timedelta(days=3)
"""How long a log goes back."""
OVERLAP = timedelta(minutes=10)
"""Tries can get into the log later than their time says: so much is compared again."""
ONE_OUTAGE = timedelta(hours=1)
"""Losses that lie further apart are outages of their own."""
PATIENCE_SECONDS = 45.0
"""For how long what was asked for is waited for, each time something arrives anew."""
_LOOK_SECONDS = 0.5
# The one log of a whole application, for all who installed it; every other is a hook's.
_APP_LOG = "app"
_UNREADABLE = (LookupError, TypeError, AttributeError, ValueError)


@dataclass(slots=True)
class LogReport:
    """What came of one log. `missed` were found now; `missing` are missing still."""

    provider: str
    account: str
    log: str
    read: int = 0
    missed: int = 0
    redelivered: int = 0
    by_api: int = 0
    missing: int = 0
    down_from: datetime | None = None
    down_until: datetime | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def recovered(self) -> int:
        return self.redelivered + self.by_api

    def shown(self) -> dict[str, object]:
        return {
            "provider": self.provider,
            "account": self.account,
            "log": self.log,
            "read": self.read,
            "down_from": self.down_from and self.down_from.isoformat(),
            "down_until": self.down_until and self.down_until.isoformat(),
            "missed": self.missed,
            "redelivered": self.redelivered,
            "by_api": self.by_api,
            "recovered": self.recovered,
            "still_missing": self.missing,
            "error": self.error,
            "notes": "; ".join(self.notes[:3]) or None,
        }


@dataclass(frozen=True, slots=True)
class Recovering:
    """What a cycle needs. `keys_of` says what the settings know of a provider's application."""

    database: Database
    apis: Apis
    keys_of: Callable[[str], AppKeys]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    first_day: date
    actor: str
    patience_seconds: float = PATIENCE_SECONDS


def app_keys(settings: Settings) -> Callable[[str], AppKeys]:
    """For `Recovering.keys_of`: each provider's, as the settings have them."""
    provider_apis = discover_apis()
    return lambda provider: provider_apis[provider].app_keys(settings)


def recover(recovering: Recovering, sources: Sequence[Source]) -> list[LogReport]:
    """One cycle over every log of these sources' connections. One that fails leaves the others alone."""
    reports: list[LogReport] = []
    usable = [source for source in sources if source.has_credential and source.refused is None]
    with recovering.database.connect(application_name="lightfast recovery") as conn:
        kinds = outages.token_kinds(conn, [source.installation_id for source in usable])
        conn.rollback()
        for provider, recovery in discover_recovery().items():
            of_provider = [one for one in usable if one.provider == provider]
            reports += _Provider(recovering, conn, recovery, kinds).cycle(of_provider)
    return reports


class _Provider:
    """The logs of one provider."""

    def __init__(
        self,
        recovering: Recovering,
        conn: Connection,
        recovery: Recovery,
        kinds: dict[int, str],
    ) -> None:
        self._with, self._conn, self._recovery, self._kinds = recovering, conn, recovery, kinds

    def cycle(self, sources: Sequence[Source]) -> list[LogReport]:
        reports: list[LogReport] = []
        by_installation = {source.installation_id: source for source in reversed(sources)}
        # An application has one log for all who installed it.
        asked_app = False
        for installation_id, source in sorted(by_installation.items()):
            kind = self._kinds.get(installation_id, "")
            try:
                log = self._recovery.app_log(kind, self._with.keys_of(source.provider))
            except ValueError as error:
                reports.append(self._failed(source, _APP_LOG, str(error)))
                continue
            of_installation = [one for one in sources if one.installation_id == installation_id]
            wants_hooks = any(self._hooks_call(kind, one) for one in of_installation)
            if (log is None or asked_app) and not wants_hooks:
                continue
            try:
                with self._with.apis.open(source, lambda: None) as api:
                    if log is not None and not asked_app:
                        asked_app = True
                        reports.append(self._compare(api, source, log))
                    if wants_hooks:
                        reports += self._hooks(api, kind, of_installation)
            except CallFailedError as error:
                reports.append(self._failed(source, log.name if log else "hooks", error.message))
        return reports

    def _hooks_call(self, kind: str, source: Source) -> bool:
        try:
            return self._recovery.hooks(kind, place_of(source)) is not None
        except ValueError:
            return True

    def _hooks(self, api: ApiClient, kind: str, sources: Sequence[Source]) -> list[LogReport]:
        reports: list[LogReport] = []
        for source in {one.resource_id: one for one in sources}.values():
            name = f"hooks of {source.resource_name or source.resource_id}"
            try:
                call = self._recovery.hooks(kind, place_of(source))
                if call is None:
                    continue
                logs = self._recovery.hook_logs(place_of(source), api.ask(call))
            except CallFailedError as error:
                reports.append(self._failed(source, name, _explained(error)))
                if error.outcome is AnswerOutcome.CREDENTIAL:
                    break
                continue
            except _UNREADABLE as error:
                reports.append(self._failed(source, name, str(error)))
                continue
            self._noted(source.installation_id, name, None, None)
            reports += [self._compare(api, source, log) for log in logs]
        return reports

    def _failed(self, source: Source, log: str, message: str) -> LogReport:
        self._conn.rollback()
        self._noted(source.installation_id, log, None, message)
        _log.warning("%s %s cannot be read: %s", source.provider, log, message)
        return LogReport(source.provider, _account(source), log, error=message)

    def _noted(
        self, installation_id: int, log: str, until: datetime | None, error: str | None
    ) -> None:
        outages.note_check(
            self._conn, installation_id, log, until=until, now=self._with.clock(), error=error
        )
        self._conn.commit()

    def _compare(self, api: ApiClient, source: Source, log: DeliveryLog) -> LogReport:
        name = f"deliveries:{source.provider}:{log.name}"
        with job_lock(self._conn, name, wait=False) as got:
            if not got:
                report = LogReport(source.provider, _account(source), log.name)
                report.notes.append("another process is at it")
                return report
            return _Comparison(self._with, self._conn, api, source, log).run()


class _Comparison:
    """One log against what arrived; the caller holds its lock."""

    def __init__(
        self,
        recovering: Recovering,
        conn: Connection,
        api: ApiClient,
        source: Source,
        log: DeliveryLog,
    ) -> None:
        self._with, self._conn, self._api = recovering, conn, api
        self._source, self._log = source, log
        self._report = LogReport(source.provider, _account(source), log.name)
        self._connections = outages.connections(conn, source.provider)
        self._by_api: set[str] = set()

    def run(self) -> LogReport:
        conn, report = self._conn, self._report
        now = self._with.clock()
        known = outages.checked_until(conn, self._source.installation_id, self._log.name)
        since = max(now - KEPT, known - OVERLAP) if known else now - KEPT
        still = outages.open_outages(conn, self._log.name, self._installations())
        waits = self._owners_of(still)
        if still:
            # As far back as what is still missing, to learn under which number the log has it.
            since = max(now - KEPT, min(since, *(one.down_from for one in still)))
        conn.rollback()
        try:
            entries = self._read(since)
        except CallFailedError as error:
            return self._fail(_explained(error))
        except _UNREADABLE as error:
            return self._fail(f"its answer is not of a known form: {str(error)[:200]}")
        tries = _by_delivery(entries)
        report.read = len(tries)
        owners = {one: self._owner(entry[0]) for one, entry in tries.items()}
        arrived = outages.stored(conn, self._source.provider, waits | owners)
        new = [one for one in tries if one not in arrived and one not in waits]
        found = self._found({one: tries[one] for one in new})
        conn.commit()
        asked_before = {one for one in waits if one not in arrived} & tries.keys()
        self._ask_again([tries[one][0] for one in new])
        from_log = [tries[one] for one in sorted(asked_before)]
        from_log += [tries[one] for one in new if one not in self._arrived(owners, new)]
        self._take_from_log(from_log)
        self._account(still, found)
        failed = self._report.error
        outages.note_check(
            conn,
            self._source.installation_id,
            self._log.name,
            until=None if failed else now,
            now=self._with.clock(),
            error=failed,
        )
        conn.commit()
        return report

    def _installations(self) -> list[int]:
        if self._log.name != _APP_LOG:
            return [self._source.installation_id]
        return [self._source.installation_id, *(one for one, _ in self._connections.values())]

    def _fail(self, message: str) -> LogReport:
        self._conn.rollback()
        self._report.error = message
        outages.note_check(
            self._conn,
            self._source.installation_id,
            self._log.name,
            until=None,
            now=self._with.clock(),
            error=message,
        )
        self._conn.commit()
        _log.warning("%s %s: %s", self._source.provider, self._log.name, message)
        return self._report

    def _read(self, since: datetime) -> list[LogEntry]:
        """Every try since then."""
        found: list[LogEntry] = []
        cursor = None
        seen = set()
        while True:
            answer = self._api.ask(self._log.page(cursor, self._with.clock()))
            page = self._log.read(answer)
            found += [one for one in page.entries if one.delivered_at >= since]
            is_over = any(one.delivered_at < since for one in page.entries)
            if page.next is None or is_over:
                return found
            cursor = page.next
            if str(cursor) in seen:
                raise ValueError("its page repeats its cursor")
            seen.add(str(cursor))

    def _found(self, missed: dict[str, list[LogEntry]]) -> list[Outage]:
        """The outages that these losses are. Does not commit."""
        by_owner: dict[int, list[tuple[datetime, str]]] = {}
        for delivery, tries in missed.items():
            owner = self._owner(tries[0])[0]
            by_owner.setdefault(owner, []).append((tries[-1].delivered_at, delivery))
        found = []
        for owner, losses in sorted(by_owner.items()):
            for group in _apart(sorted(losses)):
                ids = [delivery for _, delivery in group]
                found.append(
                    outages.add_outage(
                        self._conn, owner, self._log.name, group[0][0], group[-1][0], ids
                    )
                )
        self._report.missed = len(missed)
        return found

    def _owner(self, entry: LogEntry) -> tuple[int, str]:
        """Installation and organisation that a delivery is for; of one not known here, who asks.

        Only the App's log is everybody's: what a hook's log says of other connections is no reason to
        store anything for them.
        """
        asking = self._source.installation_id, self._source.org_id
        if self._log.name != _APP_LOG:
            return asking
        return self._connections.get(entry.installation or "", asking)

    def _owners_of(self, found: Iterable[Outage]) -> dict[str, tuple[int, str]]:
        """Of the deliveries that these outages still miss."""
        orgs = dict(self._connections.values())
        return {
            delivery: (outage.installation_id, orgs[outage.installation_id])
            for outage in found
            for delivery in outage.deliveries
        }

    def _ask_again(self, entries: Sequence[LogEntry]) -> None:
        """What was refused is told; it is taken from the log then."""
        for entry in entries:
            try:
                self._api.ask(self._log.again(entry, self._with.clock()))
            except CallFailedError as error:
                self._report.notes.append(f"{entry.delivery_id} is not sent again: {error.message}")
                if error.outcome is AnswerOutcome.CREDENTIAL:
                    return

    def _arrived(
        self, owners: Mapping[str, tuple[int, str]], wanted: Sequence[str]
    ) -> frozenset[str]:
        """Looks until all are there, or nothing more has come for a while."""
        missing, waited = set(wanted), 0.0
        arrived: set[str] = set()
        while missing and waited < self._with.patience_seconds:
            came = outages.stored(
                self._conn, self._source.provider, {one: owners[one] for one in missing}
            ).keys()
            self._conn.rollback()
            if came:
                arrived |= came
                missing -= came
                waited = 0.0
                continue
            self._with.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        return frozenset(arrived)

    def _take_from_log(self, wanted: Iterable[Sequence[LogEntry]]) -> None:
        for tries in wanted:
            entry = tries[-1]
            try:
                answer = self._api.ask(self._log.detail(entry, self._with.clock()))
                delivery = self._delivery(entry, self._log.told(answer))
            except CallFailedError as error:
                self._report.notes.append(
                    f"{entry.delivery_id} cannot be taken from the log: {error.message}"
                )
                if error.outcome in (
                    AnswerOutcome.UNAVAILABLE,
                    AnswerOutcome.CREDENTIAL,
                    AnswerOutcome.LIMITED,
                ):
                    self._report.error = error.message
                    return
                continue
            except _UNREADABLE as error:
                self._report.notes.append(
                    f"{entry.delivery_id} cannot be taken from the log: {error}"
                )
                continue
            insert_deliveries(self._conn, [delivery])
            self._conn.commit()
            self._by_api.add(entry.delivery_id)

    def _delivery(self, entry: LogEntry, told: LoggedDelivery) -> Delivery:
        at = entry.delivered_at
        return delivery_of(
            Record(
                told.event_type,
                told.payload,
                at,
                entry.delivery_id,
                {**told.headers, FIRST_SENT_AT: at.isoformat()},
            ),
            self._source.provider,
            self._owner(entry),
            "api",
            first_day=self._with.first_day,
            now=self._with.clock(),
        )

    def _account(self, still: Sequence[Outage], found: Sequence[Outage]) -> None:
        """Writes what came of each outage, and tells an operator of what is new."""
        conn, report = self._conn, self._report
        new = {one.id for one in found}
        # The later reading of one that has grown.
        for outage in {one.id: one for one in [*still, *found]}.values():
            came = outages.stored(conn, self._source.provider, self._owners_of([outage]))
            by_api = sum(one in self._by_api for one in came)
            missing = [one for one in outage.deliveries if one not in came]
            redelivered = len(came) - by_api
            outages.note_recovery(
                conn, outage, missing=missing, redelivered=redelivered, by_api=by_api
            )
            report.redelivered += redelivered
            report.by_api += by_api
            report.missing += len(missing)
            report.down_from = min(report.down_from or outage.down_from, outage.down_from)
            report.down_until = max(report.down_until or outage.down_until, outage.down_until)
            if came or outage.id in new:
                self._tell(outage, redelivered, by_api, missing)
        conn.commit()

    def _tell(self, outage: Outage, redelivered: int, by_api: int, missing: Sequence[str]) -> None:
        span = f"{outage.down_from:%Y-%m-%d %H:%M:%S}Z to {outage.down_until:%Y-%m-%d %H:%M:%S}Z"
        message = (
            f"down from {span}: {outage.missed:,} deliveries missed, "
            f"{outage.missed - len(missing):,} recovered ({redelivered:,} sent again, {by_api:,} taken "
            f"from the log), {len(missing):,} still missing"
        )
        _log.warning("%s %s: %s", self._source.provider, self._log.name, message)
        activity.record(
            self._conn,
            "outage.recovered" if not missing else "outage.found",
            self._with.actor,
            message,
            org_id=self._connections[outage.installation][1],
            provider=self._source.provider,
            subject=f"{self._log.name} of installation {outage.installation}",
            detail={
                "missed": outage.missed,
                "redelivered": redelivered,
                "by_api": by_api,
                "missing": len(missing),
            },
        )


def _by_delivery(entries: Iterable[LogEntry]) -> dict[str, list[LogEntry]]:
    """Delivery id -> its tries, the latest first."""
    found: dict[str, list[LogEntry]] = {}
    for entry in sorted(entries, key=lambda one: one.delivered_at, reverse=True):
        found.setdefault(entry.delivery_id, []).append(entry)
    return found


def _apart(losses: Sequence[tuple[datetime, str]]) -> Iterable[list[tuple[datetime, str]]]:
    group: list[tuple[datetime, str]] = []
    for loss in losses:
        if group and loss[0] - group[-1][0] > ONE_OUTAGE:
            yield group
            group = []
        group.append(loss)
    if group:
        yield group


def _account(source: Source) -> str:
    return source.account_login or source.installation


def _explained(error: CallFailedError) -> str:
    """With what an operator can do about it."""
    if error.outcome in (AnswerOutcome.FORBIDDEN, AnswerOutcome.MISSING):
        return (
            f"{error.message}: the credential may not read the hooks' deliveries (a token needs "
            "`admin:repo_hook` or the permission Webhooks: read and write)"
        )
    return error.message
