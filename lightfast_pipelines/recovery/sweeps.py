"""Looks for what is gone: each kind of things of each linked resource, every hour.

How one of these sweeps lists, compares and asks stands in `sweep_run.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lightfast_pipelines.provider_api.client import CallFailedError
from lightfast_pipelines.providers.api_contract import AnswerOutcome
from lightfast_pipelines.providers.recovery_contract import IdSweep, discover_recovery
from lightfast_pipelines.recovery.sweep_run import Sweeping, SweepReport, SweepRun
from lightfast_pipelines.store.backfills import Source
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import job_lock

_log = logging.getLogger(__name__)


def sweep(sweeping: Sweeping, sources: Sequence[Source]) -> list[SweepReport]:
    """Every kind of things of every resource once, as far as the shares reach."""
    reports: list[SweepReport] = []
    usable = [one for one in sources if one.has_credential and one.refused is None]
    # A resource that several workspaces of an organisation link is swept once.
    distinct = {
        (one.provider, one.resource_id, one.org_id, one.installation_id): one
        for one in reversed(usable)
    }
    recoveries = discover_recovery()
    with sweeping.database.connect(application_name="lightfast sweep") as conn:
        for source in sorted(distinct.values(), key=lambda one: one.integration_id):
            recovery = recoveries.get(source.provider)
            for kind in recovery.sweeps if recovery else ():
                report = SweepReport(source, kind.kind)
                reports.append(report)
                name = f"sweep:{source.integration_id}:{kind.kind}"
                with job_lock(conn, name, wait=False) as got:
                    if not got:
                        report.status, report.error = "skipped", "another process is at it"
                        continue
                    _sweep(sweeping, conn, source, kind, report)
                if report.status == "refused":
                    break
    return reports


def _sweep(
    sweeping: Sweeping, conn: Connection, source: Source, kind: IdSweep, report: SweepReport
) -> None:
    """In a client of its own: what it learns of moved addresses ends with it."""
    try:
        with sweeping.apis.open(source, lambda: None) as api:
            SweepRun(sweeping, conn, api, source, kind, report).run()
    except CallFailedError as error:
        conn.rollback()
        report.status = "refused" if error.outcome is AnswerOutcome.CREDENTIAL else "failed"
        report.error = error.message
        _log.warning("sweep of %s %s: %s", source.name, kind.kind, error.message)
