"""Runs the hour's sweeps, one for each kind of entities of each linked resource."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lightfast_pipelines.provider_api.client import CallFailedError
from lightfast_pipelines.providers.api_contract import AnswerOutcome
from lightfast_pipelines.providers.recovery_contract import IdSweep, discover_recovery
from lightfast_pipelines.recovery.sweep_cycle import SweepCycle, SweepReport
from lightfast_pipelines.recovery.sweep_run import SweepRun
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.sources import Source

_log = logging.getLogger(__name__)


def sweep(cycle: SweepCycle, sources: Sequence[Source]) -> list[SweepReport]:
    """Sweeps every resource once, as far as its share of the limits allows."""
    reports: list[SweepReport] = []
    usable = [source for source in sources if source.has_credential and source.refused is None]
    # A resource that several workspaces of an organisation link is swept once.
    distinct = {
        (source.provider, source.resource_id, source.org_id, source.installation_id): source
        for source in reversed(usable)
    }
    recoveries = discover_recovery()
    with cycle.database.connect(application_name="lightfast sweep") as conn:
        for source in sorted(distinct.values(), key=lambda source: source.integration_id):
            recovery = recoveries.get(source.provider)
            for kind in recovery.sweeps if recovery else ():
                report = SweepReport(source, kind.kind)
                reports.append(report)
                name = f"sweep:{source.integration_id}:{kind.kind}"
                with job_lock(conn, name, wait=False) as is_locked:
                    if not is_locked:
                        report.status, report.error = "skipped", "another process is sweeping it"
                        continue
                    _sweep(cycle, conn, source, kind, report)
                if report.status == "refused":
                    break
    return reports


def _sweep(
    cycle: SweepCycle, conn: Connection, source: Source, kind: IdSweep, report: SweepReport
) -> None:
    """One sweep with a client of its own: what a client learns about moved addresses ends with it."""
    try:
        with cycle.apis.open(source, lambda: None) as api:
            SweepRun(cycle, conn, api, source, kind, report).run()
    except CallFailedError as error:
        conn.rollback()
        report.status = "refused" if error.outcome is AnswerOutcome.CREDENTIAL else "failed"
        report.error = error.message
        _log.warning("sweep of %s %s: %s", source.name, kind.kind, error.message)
