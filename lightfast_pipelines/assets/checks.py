"""Checks of what a run wrote, beside the assets they are about. The queries stand in `store/checks.py`.

Those after capture are yielded by capture itself: only it knows which rows the run took. A check
that fails does not stop the run, but for one: two states believed current at once.
"""

from collections.abc import Sequence

import dagster as dg

from lightfast_pipelines.partitions import days_of_tags
from lightfast_pipelines.store import checks
from lightfast_pipelines.store.checks import Breach
from lightfast_pipelines.store.database import Connection, Database

AFTER_CAPTURE = [
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
    dg.AssetCheckSpec(
        "one_current_state",
        asset="temporal_states",
        description="At most one interval of an entity's state is current. Failing stops what follows.",
        blocking=True,
    ),
]


def after_capture(conn: Connection, raw_ids: Sequence[int]) -> list[dg.AssetCheckResult]:
    """Results of AFTER_CAPTURE, in their order, for the payloads that a run took."""
    breaches = (
        checks.delivered_without_observation(conn, raw_ids),
        checks.observations_without_payload(conn),
        checks.outcomes_without_reason(conn, raw_ids),
        checks.states_current_twice(conn, raw_ids),
    )
    return [
        _result(spec, breach, {"payloads_looked_at": len(raw_ids)})
        for spec, breach in zip(AFTER_CAPTURE, breaches, strict=True)
    ]


_NO_STAGE_BEHIND = dg.AssetCheckSpec(
    "no_stage_behind",
    asset="clusters",
    description="Observations of the run's days have their vectors and a cluster.",
)


@dg.multi_asset_check(name="after_clusters", specs=[_NO_STAGE_BEHIND])
def after_clusters(
    context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Database]
) -> dg.AssetCheckResult:
    """A warning, not an error: a run's bounds may leave some to the next one."""
    days = days_of_tags(context.run.tags)
    with database.connect("pipeline", application_name="lightfast check") as conn:
        breach = checks.observations_behind(conn, days)
    return _result(
        _NO_STAGE_BEHIND, breach, {"days": len(days)}, severity=dg.AssetCheckSeverity.WARN
    )


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
