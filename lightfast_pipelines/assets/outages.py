"""Outages: deliveries that never arrived, and what was recovered of them."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from lightfast_pipelines.assets._metadata import listing, table_spec
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.outages import Outage, list_outages
from lightfast_pipelines.store.sources import find_sources

if TYPE_CHECKING:
    from lightfast_pipelines.backfill.catch_up import CatchUp
    from lightfast_pipelines.recovery.cycle import LogReport

ASSET = "outages"
_SHOWN = 20


@dg.multi_asset(
    name=ASSET,
    specs=[
        table_spec(
            ASSET,
            table=ASSET,
            description=(
                "One row: a time in which deliveries were lost, and what was recovered of them. Compares "
                "the providers' logs of deliveries with what arrived, has what is missing sent again or "
                "takes it from the log; of providers without a log it reads what changed since."
            ),
        )
    ],
)
def outages(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    apis: dg.ResourceParam[Apis],
) -> dg.MaterializeResult[None]:
    """One cycle over all logs; a log or a link that fails does not stop the others."""
    actor = f"dagster:{context.run.run_id}"
    reports = _compare_logs(database, apis, actor)
    for report in reports:
        _log_report(context, report)
    caught_up = list(_caught_up(context, database, apis, actor))
    with database.connect(application_name="lightfast recovery") as conn:
        latest = list_outages(conn, limit=_SHOWN)
    return dg.MaterializeResult(
        asset_key=ASSET,
        metadata={
            "missed": sum(report.missed for report in reports),
            "redelivered": sum(report.redelivered for report in reports),
            "by_api": sum(report.by_api for report in reports),
            "recovered": sum(report.recovered for report in reports),
            "still_missing": sum(report.missing for report in reports),
            "errors": sum(report.error is not None for report in reports),
            **listing("logs", [report.shown() for report in reports]),
            **listing("caught_up", caught_up),
            **listing("outages", [_shown(outage) for outage in latest]),
        },
    )


def _compare_logs(database: Database, apis: Apis, actor: str) -> "Sequence[LogReport]":
    # Only a run that asks a provider loads HTTP and encryption.
    from lightfast_pipelines.recovery.cycle import RecoveryCycle
    from lightfast_pipelines.recovery.lost_deliveries import app_keys, recover

    with database.connect(application_name="lightfast recovery") as conn:
        sources = find_sources(conn)
    cycle = RecoveryCycle(
        database=database,
        apis=apis,
        app_keys=app_keys(settings()),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        first_day=settings().earliest_day,
        actor=actor,
    )
    return recover(cycle, sources)


def _shown(outage: Outage) -> dict[str, object]:
    return {
        "provider": outage.provider,
        "account": outage.account or outage.installation,
        "log": outage.log,
        "down_from": outage.down_from,
        "down_until": outage.down_until,
        "missed": outage.missed,
        "recovered": outage.recovered,
        "still_missing": len(outage.deliveries),
    }


def _log_report(context: dg.AssetExecutionContext, report: "LogReport") -> None:
    log_name = f"{report.provider} {report.account} {report.log}"
    if report.error:
        context.log.warning("%s: %s", log_name, report.error)
    if report.missed or report.missing or report.recovered:
        context.log.warning(
            "%s: down from %s until %s: %s missed, %s recovered, %s still missing",
            *(log_name, report.down_from, report.down_until),
            *(report.missed, report.recovered, report.missing),
        )
    for note in report.notes[:10]:
        context.log.info("%s: %s", log_name, note)


def _caught_up(
    context: dg.AssetExecutionContext, database: Database, apis: Apis, actor: str
) -> Iterator[dict[str, object]]:
    from lightfast_pipelines.backfill.catch_up import catch_up

    def failed(window: "CatchUp", error: Exception) -> None:
        context.log.warning("%s cannot be caught up: %s", window.source.name, error)

    for window, result in catch_up(
        database,
        apis,
        now=datetime.now(UTC),
        first_day=settings().earliest_day,
        actor=actor,
        failed=failed,
    ):
        yield {
            "resource": window.source.name,
            "since": window.since,
            "entity_types": ", ".join(window.entity_types),
            "requests": result.requests,
            "records": result.records,
            "new": result.stored,
            "failures": "; ".join(result.failures) or None,
        }
