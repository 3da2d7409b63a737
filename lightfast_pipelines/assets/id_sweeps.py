"""Sweeps: how far the providers were searched for things that were deleted without a webhook."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.assets._metadata import listing, table_spec
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.sources import find_sources

if TYPE_CHECKING:
    from lightfast_pipelines.recovery.sweep_cycle import SweepReport

ASSET = "id_sweeps"


@dg.multi_asset(
    name=ASSET,
    specs=[
        table_spec(
            ASSET,
            table=ASSET,
            deps=["observations"],
            description=(
                "One row: how far a sweep has looked for a resource's things of one kind, to find those that "
                "are gone. The deletion of what is gone is stored, and it leaves search."
            ),
        )
    ],
)
def id_sweeps(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    apis: dg.ResourceParam[Apis],
) -> dg.MaterializeResult[None]:
    """Continues every sweep, as far as the hour's share of the limits allows."""
    reports = _sweep(database, apis, f"dagster:{context.run.run_id}")
    for report in reports:
        if report.error:
            context.log.warning("%s %s: %s", report.source.name, report.kind, report.error)
    metadata: dict[str, Any] = {
        "known": sum(report.known for report in reports),
        "gone": sum(len(report.gone) for report in reports),
        "undecided": sum(report.left for report in reports),
        "requests": sum(report.requests for report in reports),
        "share": settings().sweep_share,
        "paused": sum(report.status == "paused" for report in reports),
        "errors": sum(report.error is not None for report in reports),
        **listing("sweeps", [report.shown() for report in reports]),
    }
    return dg.MaterializeResult(asset_key=ASSET, metadata=metadata)


def _sweep(database: Database, apis: Apis, actor: str) -> "Sequence[SweepReport]":
    # Only a run that asks a provider loads HTTP and encryption.
    from lightfast_pipelines.recovery.sweep_cycle import SweepCycle
    from lightfast_pipelines.recovery.sweeps import sweep

    with database.connect(application_name="lightfast sweep") as conn:
        sources = find_sources(conn)
    cycle = SweepCycle(
        database=database,
        apis=apis,
        clock=lambda: datetime.now(UTC),
        first_day=settings().earliest_day,
        share=settings().sweep_share,
        actor=actor,
    )
    return sweep(cycle, sources)
