"""How good the memory is: the last recorded measurement, and how its figures changed over time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from lightfast_pipelines.assets._metadata import lines, listing, table_spec
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.quality import QualityResult, history, last_measured, results_at

ASSET = dg.AssetKey("memory_quality")
MEASURED_AT = "measured_at"
_PLOTTED_MEASUREMENTS = 100
# A figure has as many rows as baselines; more lines than these cannot be told apart.
_PLOTTED_FIGURES = 12


@dg.multi_asset(
    name="memory_quality",
    specs=[
        table_spec(
            "memory_quality",
            table="quality_results",
            description=(
                "One row: a measured figure of the memory's quality, with its interval, a simple rule's "
                "figure, and its floor. `python -m bench.quality --record` measures and records them."
            ),
        )
    ],
)
def memory_quality(database: dg.ResourceParam[Database]) -> dg.MaterializeResult[None]:
    """One row: a figure of the last measurement that was recorded."""
    with database.connect("pipeline", application_name="lightfast quality") as conn:
        at = last_measured(conn)
        results = results_at(conn, at)
        series = history(conn, measurements=_PLOTTED_MEASUREMENTS)
    return dg.MaterializeResult(
        asset_key=ASSET,
        metadata={
            "dagster/row_count": len(results),
            **({MEASURED_AT: at.isoformat(), "code": results[0].code_version} if at else {}),
            "below_floor": sum(result.is_below_floor for result in results),
            **listing("figures", [_shown(result) for result in results]),
            **_plot(series),
        },
    )


def _shown(result: QualityResult) -> dict[str, object]:
    baseline = (
        f"{result.baseline_name} {result.baseline:.3f}" if result.baseline is not None else ""
    )
    return {
        "figure": result.title,
        "value": f"{result.value:.3f} [{result.low:.3f}, {result.high:.3f}]",
        "baseline": baseline,
        "reach": result.reach,
        "floor": result.floor,
        "holds": "" if result.floor is None else "below" if result.is_below_floor else "ok",
        "note": result.note,
    }


def _plot(series: Mapping[str, Sequence[tuple[datetime, float]]]) -> dict[str, Any]:
    """`{"history": picture}`: a line for each figure that has a floor; empty without any."""
    if not series:
        return {}
    plotted = sorted(series.items(), key=lambda item: -len(item[1]))[:_PLOTTED_FIGURES]
    return {"history": lines("Figures over time", (9, 4), plotted, top=1.02)}


_ABOVE_FLOOR = dg.AssetCheckSpec(
    "quality_above_floor",
    asset=ASSET,
    description="No figure of the last measurement is below its stated floor.",
    blocking=True,
)


@dg.multi_asset_check(name="after_quality", specs=[_ABOVE_FLOOR])
def after_quality(database: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    """Passes while nothing has been measured: a deployment need not measure."""
    with database.connect("pipeline", application_name="lightfast check") as conn:
        results = results_at(conn, last_measured(conn))
    below = [result for result in results if result.is_below_floor]
    return dg.AssetCheckResult(
        passed=not below,
        asset_key=ASSET,
        check_name=_ABOVE_FLOOR.name,
        metadata={
            "figures_with_a_floor": sum(result.floor is not None for result in results),
            **{
                f"below_{number}": f"{result.title} {result.value:.3f} < {result.floor:g}"
                for number, result in enumerate(below, 1)
            },
        },
    )
