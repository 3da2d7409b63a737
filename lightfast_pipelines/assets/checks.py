"""Checks of the rows that a run wrote. The queries are in `store/checks.py`.

They are separate steps: as outputs of `capture` they would be required even of a run that did not get
the lock. One check, for two current states of an entity, runs every time and stops the stages that
follow. The others run once an hour and when their assets are materialized by hand, as nobody reads five
results for each webhook.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.partitions import days_of_tags, today
from lightfast_pipelines.store import checks
from lightfast_pipelines.store.checks import Breach
from lightfast_pipelines.store.database import Database

_ONE_CURRENT_STATE = dg.AssetCheckSpec(
    "one_current_state",
    asset="temporal_states",
    description="At most one interval of an entity's state is current. Failing stops what follows.",
    blocking=True,
)

ROWS_OF_CAPTURE = [
    dg.AssetCheckSpec(
        "delivered_is_observed",
        asset="observations",
        description="A delivered payload states at least one observation, new or folded into one.",
    ),
    dg.AssetCheckSpec(
        "observation_has_payload",
        asset="observations",
        description="Every observation is stated by a payload that is still there.",
    ),
    dg.AssetCheckSpec(
        "refused_says_why",
        asset="observations",
        description="A payload that is filtered, parked or dead has a reason.",
    ),
]


@dg.multi_asset_check(name="after_capture", specs=[_ONE_CURRENT_STATE])
def after_capture(
    context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Database]
) -> dg.AssetCheckResult:
    """Checks the payloads captured since the run began, by this or another run."""
    with database.connect("pipeline", application_name="lightfast check") as conn:
        raw_ids = checks.processed_since(conn, _began(context))
        breach = checks.states_current_twice(conn, raw_ids)
    return _result(_ONE_CURRENT_STATE, breach, {"payloads_looked_at": len(raw_ids)})


@dg.multi_asset_check(name="rows_of_capture", specs=ROWS_OF_CAPTURE)
def rows_of_capture(
    context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.AssetCheckResult]:
    """Checks the payloads captured since the run began, or in the last day."""
    with database.connect("pipeline", application_name="lightfast check") as conn:
        raw_ids = checks.processed_since(conn, _began(context))
        breaches = (
            checks.delivered_without_observation(conn, raw_ids),
            checks.observations_without_payload(conn),
            checks.outcomes_without_reason(conn, raw_ids),
        )
    for spec, breach in zip(ROWS_OF_CAPTURE, breaches, strict=True):
        yield _result(spec, breach, {"payloads_looked_at": len(raw_ids)})


def _began(context: dg.AssetCheckExecutionContext) -> datetime:
    """When the run began; a day ago for checks that run without their asset."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    # Without an asset: started by hand, or by the hourly job.
    is_alone = not context.job_def.asset_layer.selected_asset_keys
    if is_alone or record is None or record.start_time is None:
        return datetime.now(UTC) - timedelta(days=1)
    return datetime.fromtimestamp(record.start_time, UTC)


_NO_STAGE_BEHIND = dg.AssetCheckSpec(
    "no_stage_behind",
    asset="clusters",
    description="Observations of the run's days, else of the last two, have their vectors and a cluster.",
)


@dg.multi_asset_check(name="after_clusters", specs=[_NO_STAGE_BEHIND])
def after_clusters(
    context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Database]
) -> dg.AssetCheckResult:
    """Warns only, as a bounded run may leave some observations to the next one."""
    days = days_of_tags(context.run.tags) or [today() - timedelta(days=1), today()]
    with database.connect("pipeline", application_name="lightfast check") as conn:
        breach = checks.observations_behind(conn, days)
    return _result(
        _NO_STAGE_BEHIND, breach, {"days": len(days)}, severity=dg.AssetCheckSeverity.WARN
    )


_SENTENCES_SUPPORTED = dg.AssetCheckSpec(
    "sentences_supported",
    asset="cluster_summaries",
    description="What the latest summaries quote is in the observations that they cite.",
)
# About a second's work; a rule that went wrong shows in any of them.
_SUMMARIES_CHECKED = 200


@dg.multi_asset_check(name="after_summaries", specs=[_SENTENCES_SUPPORTED])
def after_summaries(database: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Checks the sentences of the 200 latest summaries."""
    from lightfast_pipelines.clustering.summary_evidence import sentences_without_support

    with database.connect("pipeline", application_name="lightfast check") as conn:
        breach, checked = sentences_without_support(conn, _SUMMARIES_CHECKED)
    return _result(_SENTENCES_SUPPORTED, breach, {"sentences": checked})


HOURLY = [rows_of_capture, after_clusters, after_summaries]
"""Checks that the runs of the sensor leave out."""


def _result(
    spec: dg.AssetCheckSpec,
    breach: Breach,
    metadata: dict[str, int],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=breach.rows == 0,
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=severity,
        metadata={
            **metadata,
            "rows": breach.rows,
            **({"examples": ", ".join(breach.examples)} if breach.examples else {}),
        },
    )
