"""Shows work outside of Dagster's runs in its catalog.

That is, deliveries that arrived, and what `lightfast process`, `lightfast backfill` and the demo did.
The work to show is recorded in the tables, so the next tick makes up for a lost one.
"""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from lightfast_pipelines.assets._days import metadata_of_day
from lightfast_pipelines.assets._metadata import table_rows
from lightfast_pipelines.assets.capture import TABLES
from lightfast_pipelines.inbox.arrivals import arrivals_since
from lightfast_pipelines.resources.catalog import report_materializations
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.day_rows import rows_of_days
from lightfast_pipelines.store.unreported import Work, forget, read_unreported

# Dagster gives a tick one minute: after this time the rest is left to the next tick.
TICK_SECONDS = 30.0
PAGE_DAYS = 250
# One event per day and minute is enough to see that deliveries arrive, as events are kept forever.
ARRIVALS_SECONDS = 60

ASSETS_OF_STAGES: dict[str, Sequence[str]] = {"capture": TABLES}
_TABLES_OF_ASSETS = {"cluster_consolidation": "clusters", "cluster_summaries": "clusters"}


@dg.sensor(
    name="work_outside_runs",
    minimum_interval_seconds=ARRIVALS_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every minute: shows the deliveries that arrived by day, and the days that were worked on "
        "outside of runs, such as by `lightfast process`."
    ),
)
def work_outside_runs(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.SensorResult:
    cursor: dict[str, Any] = json.loads(context.cursor or "{}")
    ends = time.monotonic() + TICK_SECONDS
    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast sensor") as conn:
        shown = _show_arrivals(context.instance, conn, cursor, now)
        while time.monotonic() < ends and (works := read_unreported(conn, days=PAGE_DAYS)):
            events = list(events_of(conn, works, today=now.date()))
            report_materializations(context.instance, events, now=datetime.now(UTC))
            forget(conn, works)
            conn.commit()
            shown += len(events)
    return dg.SensorResult(
        skip_reason=f"{shown} events shown" if shown else "nothing new to show",
        cursor=json.dumps(cursor, sort_keys=True),
    )


def _show_arrivals(
    instance: dg.DagsterInstance, conn: Connection, cursor: dict[str, Any], now: datetime
) -> int:
    """Reports new deliveries on raw_payloads by day, and moves the cursor past them."""
    # A time to come means that the clock was set back since.
    if 0.0 <= now.timestamp() - cursor.get("reported_at", 0.0) < ARRIVALS_SECONDS:
        return 0
    arrivals = arrivals_since(conn, cursor.get("reported_id", 0))
    if not arrivals.days:
        return 0
    days = _until(now.date(), arrivals.days)
    report_materializations(
        instance,
        [
            dg.AssetMaterialization(
                asset_key="raw_payloads",
                partition=day.isoformat(),
                metadata={"dagster/partition_row_count": total, "arrived": new},
            )
            for day, new, total in days
        ],
        now=now,
    )
    cursor["reported_id"] = arrivals.last_id
    if not arrivals.more:
        cursor["reported_at"] = now.timestamp()
    return len(days)


def _until(today: date, days: Sequence[tuple[date, int, int]]) -> list[tuple[date, int, int]]:
    """Adds future days, which are not partitions, to today."""
    counts_by_day: dict[date, tuple[int, int]] = {}
    for day, new, total in days:
        before = counts_by_day.get(min(day, today), (0, 0))
        counts_by_day[min(day, today)] = (before[0] + new, before[1] + total)
    return [(day, *counts) for day, counts in counts_by_day.items()]


def events_of(
    conn: Connection, works: Sequence[Work], *, today: date
) -> Iterator[dg.AssetMaterialization]:
    """A materialization of each asset and day with work, with what the tables hold now.

    Future days are left out, as they are not partitions: today's runs take their deliveries.
    """
    works = [work for work in works if work.day is None or work.day <= today]
    days: set[date] = {work.day for work in works if work.day is not None}
    rows = rows_of_days(conn, sorted(days))
    for work in works:
        for asset in ASSETS_OF_STAGES.get(work.stage, (work.stage,)):
            if work.day is None:
                table = _TABLES_OF_ASSETS.get(asset, asset)
                metadata: dict[str, Any] = {"dagster/row_count": table_rows(conn, table)}
                partition = None
            else:
                metadata, partition = metadata_of_day(asset, rows[work.day]), work.day.isoformat()
            yield dg.AssetMaterialization(
                asset_key=asset,
                partition=partition,
                metadata={**metadata, "done": f"outside of a run, at {work.done_at:%H:%M:%S} UTC"},
            )
