"""What was lost and is gone: deliveries that never arrived, and things that were deleted without a word.

How they are found stands in `history/`; here is what an operator sees of it.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.assets._metadata import listing, table_spec
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.backfills import find_sources
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.outages import list_outages

if TYPE_CHECKING:
    from lightfast_pipelines.backfill.catch_up import CatchUp
    from lightfast_pipelines.recovery.cycle import LogReport

OUTAGES = "outages"
SWEEPS = "id_sweeps"
_SHOWN_OUTAGES = 20


@dg.multi_asset(
    name="recover_deliveries",
    specs=[
        table_spec(
            OUTAGES,
            table="outages",
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
    """One cycle; a log or a link that fails leaves the others alone."""
    actor = f"dagster:{context.run.run_id}"
    with database.connect(application_name="lightfast recovery") as conn:
        sources = find_sources(conn)
    # HTTP and encryption are loaded by whoever asks a provider, not by every run.
    from lightfast_pipelines.recovery.cycle import RecoveryCycle
    from lightfast_pipelines.recovery.lost_deliveries import app_keys, recover

    reports = recover(
        RecoveryCycle(
            database=database,
            apis=apis,
            app_keys=app_keys(settings()),
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
            first_day=settings().earliest_day,
            actor=actor,
        ),
        sources,
    )
    for report in reports:
        _tell(context, report)
    caught_up = list(_caught_up(context, database, apis, actor))
    with database.connect(application_name="lightfast recovery") as conn:
        known = list_outages(conn, limit=_SHOWN_OUTAGES)
    return dg.MaterializeResult(
        asset_key=OUTAGES,
        metadata={
            "missed": sum(one.missed for one in reports),
            "redelivered": sum(one.redelivered for one in reports),
            "by_api": sum(one.by_api for one in reports),
            "recovered": sum(one.recovered for one in reports),
            "still_missing": sum(one.missing for one in reports),
            "errors": sum(one.error is not None for one in reports),
            **listing("logs", [one.shown() for one in reports]),
            **listing("caught_up", caught_up),
            **listing(
                "outages",
                [
                    {
                        "provider": one.provider,
                        "account": one.account or one.installation,
                        "log": one.log,
                        "down_from": one.down_from,
                        "down_until": one.down_until,
                        "missed": one.missed,
                        "recovered": one.recovered,
                        "still_missing": len(one.deliveries),
                    }
                    for one in known
                ],
            ),
        },
    )


def _tell(context: dg.AssetExecutionContext, report: "LogReport") -> None:
    where = f"{report.provider} {report.account} {report.log}"
    if report.error:
        context.log.warning("%s: %s", where, report.error)
    if report.missed or report.missing or report.recovered:
        context.log.warning(
            "%s: down from %s until %s: %s missed, %s recovered, %s still missing",
            *(where, report.down_from, report.down_until),
            *(report.missed, report.recovered, report.missing),
        )
    for note in report.notes[:10]:
        context.log.info("%s: %s", where, note)


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


@dg.multi_asset(
    name="sweep_ids",
    specs=[
        table_spec(
            SWEEPS,
            table="id_sweeps",
            deps=["observations"],
            description=(
                "One row: how far a resource's things of one kind were looked for, to find those that are "
                "gone. What is gone is written as its deletion, and leaves search."
            ),
        )
    ],
)
def id_sweeps(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    apis: dg.ResourceParam[Apis],
) -> dg.MaterializeResult[None]:
    """Goes on with every sweep, as far as the hour's shares reach."""
    with database.connect(application_name="lightfast sweep") as conn:
        sources = find_sources(conn)
    from lightfast_pipelines.recovery.sweep_run import Sweeping
    from lightfast_pipelines.recovery.sweeps import sweep

    sweeping = Sweeping(
        database=database,
        apis=apis,
        clock=lambda: datetime.now(UTC),
        first_day=settings().earliest_day,
        share=settings().sweep_share,
        actor=f"dagster:{context.run.run_id}",
    )
    reports = sweep(sweeping, sources)
    for one in reports:
        if one.error:
            context.log.warning("%s %s: %s", one.source.name, one.kind, one.error)
    metadata: dict[str, Any] = {
        "known": sum(one.known for one in reports),
        "gone": sum(len(one.gone) for one in reports),
        "undecided": sum(one.left for one in reports),
        "requests": sum(one.requests for one in reports),
        "share": settings().sweep_share,
        "paused": sum(one.status == "paused" for one in reports),
        "errors": sum(one.error is not None for one in reports),
        **listing("sweeps", [one.shown() for one in reports]),
    }
    return dg.MaterializeResult(asset_key=SWEEPS, metadata=metadata)
