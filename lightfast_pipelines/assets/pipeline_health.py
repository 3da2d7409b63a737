"""How the pipeline runs: its lag, its load and its sizes over the days, and whether limits are kept."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.assets._metadata import lines, listing, table_spec
from lightfast_pipelines.resources.models import Embedder
from lightfast_pipelines.store.database import Connection, Database

if TYPE_CHECKING:
    from lightfast_pipelines.domain.health import Exceeded, Figure

ASSET = dg.AssetKey("pipeline_health")
_DAYS = 90
# More lines than these cannot be told apart.
_LINES = 8

Series = Mapping[tuple[str, str], Sequence[tuple[datetime, float]]]

# Picture -> its title, the figures that it shows, and what a value is divided by.
_PICTURES: dict[str, tuple[str, tuple[str, ...], float]] = {
    "lag": ("Seconds from receipt to queryable, 95 of 100", ("received_to_queryable_p95",), 1),
    "pending": ("Age of the oldest pending work, hours", ("oldest_pending",), 3600),
    "runs": ("Runs a day", ("runs_day",), 1),
    "event_log": ("Dagster's events, MB a day", ("event_log_day",), 1e6),
    "tables": ("Largest tables with indexes, MB", ("table_size",), 1e6),
    "database": ("Database, Dagster's tables, write-ahead log, MB",
                 ("database_size", "dagster_size", "wal_size"), 1e6),
    "vectors": ("Vectors of observations, thousands", ("vectors",), 1e3),
}  # fmt: skip


@dg.multi_asset(
    name="pipeline_health",
    specs=[
        table_spec(
            "pipeline_health",
            table="health_figures",
            description=(
                "One row: a figure of the running pipeline on a day, such as its lag, Dagster's load or "
                "the size of a table. `lightfast status` shows the present ones."
            ),
        )
    ],
)
def pipeline_health(
    database: dg.ResourceParam[Database], embedder: dg.ResourceParam[Embedder]
) -> dg.MaterializeResult[None]:
    """One row: a figure of a day. Keeps today's, and shows those of the last 90 days."""
    from lightfast_pipelines.domain.health import beyond_limits
    from lightfast_pipelines.store.health import figures_over_time, record_figures

    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast health") as conn:
        figures = _measured(database, conn, embedder, now)
        record_figures(conn, figures, now)
        conn.commit()
        series = figures_over_time(conn, days=_DAYS, now=now)
    return dg.MaterializeResult(
        asset_key=ASSET,
        metadata={
            "dagster/row_count": sum(len(points) for points in series.values()),
            "beyond_limits": len(beyond_limits(figures)),
            **listing("figures", [_shown(figure) for figure in figures]),
            **_plots(series),
        },
    )


def _measured(
    database: Database, conn: Connection, embedder: Embedder, now: datetime
) -> "list[Figure]":
    from lightfast_pipelines.inbox.health import measure_health

    return measure_health(database, conn, model=embedder.name, now=now)


def _shown(figure: "Figure") -> dict[str, object]:
    return {"figure": figure.name, "of": figure.subject, "value": round(figure.value, 3)}


def _plots(series: Series) -> dict[str, Any]:
    """`{name: picture}` of each figure that has been measured on two days or more."""
    plots: dict[str, Any] = {}
    for name, (title, figures, unit) in _PICTURES.items():
        found = {
            subject or figure: [(at, value / unit) for at, value in points]
            for (figure, subject), points in series.items()
            if figure in figures and len(points) > 1
        }
        if found:
            largest = sorted(found.items(), key=lambda line: -line[1][-1][1])[:_LINES]
            plots[name] = lines(title, (8, 2.8), largest, bottom=0)
    return plots


# Check -> its description and the figures whose limits it checks (domain/health.py).
_CHECKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nothing_waits_for_long": (
        "The oldest pending work of each stage is younger than its limit.",
        ("oldest_pending",),
    ),
    "webhooks_are_queryable_soon": (
        "Nineteen of twenty webhooks of the last day could be queried within two minutes.",
        ("received_to_queryable_p95",),
    ),
    "event_log_grows_slowly": (
        "Dagster's event log grew by less than 300 MB in the last day.",
        ("event_log_day",),
    ),
    "disk_lasts": (
        "The database's disk has a gigabyte left, and two weeks at the growth of the last one.",
        ("disk_free", "disk_days_left"),
    ),
    "write_ahead_log_is_small": (
        "The server keeps less than two gigabytes of write-ahead log.",
        ("wal_size",),
    ),
}
HEALTH_CHECKS = [
    dg.AssetCheckSpec(name, asset=ASSET, description=description)
    for name, (description, _) in _CHECKS.items()
]


@dg.multi_asset_check(name="after_health", specs=HEALTH_CHECKS)
def after_health(
    database: dg.ResourceParam[Database], embedder: dg.ResourceParam[Embedder]
) -> Iterator[dg.AssetCheckResult]:
    """Warns only: a limit says that somebody should look, not that something is lost."""
    from lightfast_pipelines.domain.health import beyond_limits

    with database.connect("pipeline", application_name="lightfast check") as conn:
        figures = _measured(database, conn, embedder, datetime.now(UTC))
    yield from health_results(figures, beyond_limits(figures))


def health_results(
    figures: "Sequence[Figure]", exceeded: "Sequence[Exceeded]"
) -> Iterator[dg.AssetCheckResult]:
    """A result for each check, with the figures that it looked at."""
    for name, (_, checked) in _CHECKS.items():
        beyond = [each for each in exceeded if each.kind.partition(" ")[0] in checked]
        yield dg.AssetCheckResult(
            passed=not beyond,
            asset_key=ASSET,
            check_name=name,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                **{
                    figure.kind: round(figure.value, 3)
                    for figure in figures
                    if figure.name in checked
                },
                **{
                    f"beyond_{number}": f"{each.what}: {each.value:,.0f}, limit {each.limit:,.0f}"
                    for number, each in enumerate(beyond, 1)
                },
            },
        )
