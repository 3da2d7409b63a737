"""The providers' history of some days, read from their APIs into the inbox.

`backfill/` reads it; here is what a person configures in Dagster, and what the run reports.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from lightfast_pipelines.assets._days import give_own_timestamps
from lightfast_pipelines.assets._metadata import listing, table_spec
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import find_workspace
from lightfast_pipelines.store.sources import Source, find_sources

if TYPE_CHECKING:
    from lightfast_pipelines.backfill.estimate import TotalEstimate, UnitEstimate
    from lightfast_pipelines.backfill.request import (
        BackfillProgress,
        BackfillRequest,
        BackfillResult,
    )

ASSET = "provider_history"
# Often enough to watch, seldom enough that a year's run does not fill Dagster's storage.
_REPORT_EVERY = timedelta(seconds=20)


class ProviderHistoryConfig(dg.Config):
    """What to read of the picked days; by default everything of every linked resource."""

    workspace: str | None = Field(
        default=None, description="Workspace (slug, or org/slug); default: all."
    )
    provider: str | None = Field(
        default=None, description="github, vercel, linear or sentry; default: all."
    )
    integrations: list[str] = Field(
        default=[], description="Linked resources, by the provider's id or name; default: all."
    )
    entity_types: list[str] = Field(
        default=[], description="pull_request, commit, ...; default: all that the provider has."
    )


@dg.multi_asset(
    name=ASSET,
    specs=[
        table_spec(
            ASSET,
            table="backfill_coverage",
            kinds=frozenset({"python", "postgres"}),
            description=(
                "One row: how much of a linked resource's history is fully fetched, by entity type. "
                "Materialize the days whose history is wanted, as one range; what is covered already "
                "is not asked for again."
            ),
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def provider_history(
    context: dg.AssetExecutionContext,
    config: ProviderHistoryConfig,
    database: dg.ResourceParam[Database],
    apis: dg.ResourceParam[Apis],
) -> dg.MaterializeResult[None]:
    """Reads what is not yet covered of the run's days; a unit that fails does not stop the others."""
    # Only a run that asks a provider loads HTTP.
    from lightfast_pipelines.backfill.request import BackfillListener
    from lightfast_pipelines.backfill.run import run_backfill

    request = _request(context, config, _sources(database, config))
    listener = BackfillListener(
        lambda estimate, units: _log_estimate(context, estimate, units),
        _ProgressLog(context).page,
    )
    result = run_backfill(
        database, apis, request, first_day=settings().earliest_day, listener=listener
    )
    for failure in result.failures:
        context.log.error(failure)
    if result.status == "cancelled":
        raise dg.Failure(
            "cancelled; what was read is kept", metadata=_metadata(result), allow_retries=False
        )
    if result.failures and not result.pages:
        raise dg.Failure(
            "; ".join(result.failures), metadata=_metadata(result), allow_retries=False
        )
    give_own_timestamps(context)
    return dg.MaterializeResult(asset_key=ASSET, metadata=_metadata(result))


def _sources(database: Database, config: ProviderHistoryConfig) -> list[Source]:
    with database.connect(application_name="lightfast backfill") as conn:
        workspace = find_workspace(conn, config.workspace) if config.workspace else None
        sources = find_sources(
            conn,
            workspace_id=workspace.id if workspace else None,
            provider=config.provider,
            resources=config.integrations,
        )
    if not sources:
        from lightfast_pipelines.backfill.request import BackfillError

        raise BackfillError(
            "nothing is linked that the configuration names: see `lightfast integration list`"
        )
    # A resource without a credential is left out, unless it was named.
    are_named = bool(config.integrations)
    return [source for source in sources if are_named or source.has_credential] or sources


def _request(
    context: dg.AssetExecutionContext, config: ProviderHistoryConfig, sources: Sequence[Source]
) -> "BackfillRequest":
    from lightfast_pipelines.backfill.request import BackfillRequest

    days = [datetime.fromisoformat(key).date() for key in context.partition_keys]
    until = datetime.combine(max(days) + timedelta(days=1), time(), UTC)
    return BackfillRequest(
        sources=sources,
        since=datetime.combine(min(days), time(), UTC),
        until=min(until, datetime.now(UTC)),
        entity_types=config.entity_types,
        provider=config.provider,
        requested_by=f"dagster:{context.run.run_id}",
        dagster_run_id=context.run.run_id,
    )


def _log_estimate(
    context: dg.AssetExecutionContext, estimate: "TotalEstimate", units: "Sequence[UnitEstimate]"
) -> None:
    context.log.info(
        "expected: %s requests, %s items, about %.0f s",
        estimate.requests,
        estimate.items,
        estimate.seconds,
    )
    context.log_event(
        dg.AssetObservation(
            ASSET,
            metadata={
                **{f"expected_{name}": value for name, value in estimate.shown().items()},
                **listing("estimate", [unit.shown() for unit in units]),
            },
        )
    )


class _ProgressLog:
    """Reports the progress every so often, in the run's log and as the asset's metadata."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._reported_at = datetime.now(UTC)

    def page(self, progress: "BackfillProgress") -> None:
        now = datetime.now(UTC)
        if now - self._reported_at < _REPORT_EVERY:
            return
        self._reported_at = now
        self._context.log.info(
            "%s of %s requests, %s records: %s, %s",
            f"{progress.requests:,}",
            f"{progress.expected_requests:,}",
            f"{progress.records:,}",
            progress.unit,
            f"at {progress.reached:%Y-%m-%d}" if progress.reached else "",
        )
        self._context.log_event(
            dg.AssetObservation(
                ASSET,
                metadata={
                    "pages": progress.pages,
                    "records": progress.records,
                    "requests": progress.requests,
                    "expected_requests": progress.expected_requests,
                    "budget_left": progress.left,
                    "expected_end": progress.ends_at.isoformat() if progress.ends_at else None,
                },
            )
        )


def _metadata(result: "BackfillResult") -> dict[str, Any]:
    return {
        **result.actual(),
        **{f"expected_{name}": value for name, value in result.expected.shown().items()},
        "failures": len(result.failures),
        **listing("units", [report.shown() for report in result.units]),
    }
