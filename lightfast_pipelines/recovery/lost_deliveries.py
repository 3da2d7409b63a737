"""Finds deliveries in the providers' logs that never arrived, and recovers them.

This file finds the logs of each connection and goes through them one by one; `log_comparison.py`
compares one of them with what arrived.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.sources import place_of
from lightfast_pipelines.providers.api_contract import AnswerOutcome, AppKeys, discover_apis
from lightfast_pipelines.providers.recovery_contract import (
    DeliveryLog,
    Recovery,
    discover_recovery,
)
from lightfast_pipelines.recovery.cycle import (
    APP_LOG,
    UNREADABLE,
    LogReport,
    RecoveryCycle,
    explained,
    note_check,
)
from lightfast_pipelines.recovery.log_comparison import LogComparison
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store import outages
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.sources import Source

_log = logging.getLogger(__name__)


def app_keys(settings: Settings) -> Callable[[str], AppKeys]:
    """For `RecoveryCycle.app_keys`: looks up each provider's application in the settings."""
    provider_apis = discover_apis()
    return lambda provider: provider_apis[provider].app_keys(settings)


def recover(cycle: RecoveryCycle, sources: Sequence[Source]) -> list[LogReport]:
    """Compares every log of these sources' connections once. A log that fails does not stop the others."""
    reports: list[LogReport] = []
    usable = [source for source in sources if source.has_credential and source.refused is None]
    with cycle.database.connect(application_name="lightfast recovery") as conn:
        kinds = outages.token_kinds(conn, [source.installation_id for source in usable])
        conn.rollback()
        for provider, recovery in discover_recovery().items():
            provider_sources = [source for source in usable if source.provider == provider]
            reports += _ProviderLogs(cycle, conn, recovery, kinds).compare_all(provider_sources)
    return reports


class _ProviderLogs:
    """The logs of one provider: its application's, and those of the hooks of linked resources."""

    def __init__(
        self,
        cycle: RecoveryCycle,
        conn: Connection,
        recovery: Recovery,
        credential_kinds: dict[int, str],
    ) -> None:
        self._cycle, self._conn, self._recovery = cycle, conn, recovery
        self._credential_kinds = credential_kinds

    def compare_all(self, sources: Sequence[Source]) -> list[LogReport]:
        reports: list[LogReport] = []
        by_installation = {source.installation_id: source for source in reversed(sources)}
        # An application has one log for everyone who installed it.
        asked_app = False
        for installation_id, source in sorted(by_installation.items()):
            kind = self._credential_kinds.get(installation_id, "")
            try:
                app_log = self._recovery.app_log(kind, self._cycle.app_keys(source.provider))
            except ValueError as error:
                reports.append(self._failed(source, APP_LOG, str(error)))
                continue
            linked = [source for source in sources if source.installation_id == installation_id]
            has_hooks = any(self._may_have_hooks(kind, source) for source in linked)
            if (app_log is None or asked_app) and not has_hooks:
                continue
            try:
                with self._cycle.apis.open(source, lambda: None) as api:
                    if app_log is not None and not asked_app:
                        asked_app = True
                        reports.append(self._compare(api, source, app_log))
                    if has_hooks:
                        reports += self._compare_hooks(api, kind, linked)
            except CallFailedError as error:
                name = app_log.name if app_log else "hooks"
                reports.append(self._failed(source, name, error.message))
        return reports

    def _may_have_hooks(self, kind: str, source: Source) -> bool:
        try:
            return self._recovery.hooks(kind, place_of(source)) is not None
        except ValueError:
            return True

    def _compare_hooks(
        self, api: ApiClient, kind: str, sources: Sequence[Source]
    ) -> list[LogReport]:
        reports: list[LogReport] = []
        for source in {source.resource_id: source for source in sources}.values():
            name = f"hooks of {source.resource_name or source.resource_id}"
            try:
                call = self._recovery.hooks(kind, place_of(source))
                if call is None:
                    continue
                logs = self._recovery.hook_logs(place_of(source), api.ask(call))
            except CallFailedError as error:
                reports.append(self._failed(source, name, explained(error)))
                if error.outcome is AnswerOutcome.CREDENTIAL:
                    break
                continue
            except UNREADABLE as error:
                reports.append(self._failed(source, name, str(error)))
                continue
            note_check(self._cycle, self._conn, source, name)
            reports += [self._compare(api, source, log) for log in logs]
        return reports

    def _failed(self, source: Source, log: str, message: str) -> LogReport:
        self._conn.rollback()
        note_check(self._cycle, self._conn, source, log, error=message)
        _log.warning("%s %s cannot be read: %s", source.provider, log, message)
        return LogReport.of(source, log, message)

    def _compare(self, api: ApiClient, source: Source, log: DeliveryLog) -> LogReport:
        name = f"deliveries:{source.provider}:{log.name}"
        with job_lock(self._conn, name, wait=False) as is_locked:
            if is_locked:
                return LogComparison(self._cycle, self._conn, api, source, log).run()
        report = LogReport.of(source, log.name)
        report.notes.append("another process is comparing it")
        return report
