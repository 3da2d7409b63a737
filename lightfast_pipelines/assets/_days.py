"""Metadata of an asset's day: what the tables hold of that day, whichever run wrote it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from lightfast_pipelines.assets._metadata import masked, preview
from lightfast_pipelines.store.day_rows import DayRows

# Views of an observation that have a vector each.
_VIEWS = 3


def metadata_of_day(asset: str, rows: DayRows) -> dict[str, Any]:
    """The day's row counts, and some of its rows."""
    shown: dict[str, Any] = {}
    if asset == "observations":
        shown = preview([masked(row) for row in rows.observations])
    elif asset == "clusters":
        shown = preview([masked(row) for row in rows.clusters])
    if rows.counts is None:
        return {"note": "too many deliveries on this day to count its rows for each run", **shown}
    counts = rows.counts
    if asset == "embeddings":
        observations = counts.get("embeddings", 0)
        return {"dagster/partition_row_count": _VIEWS * observations, "observations": observations}
    if asset == "clusters":
        return {
            "dagster/partition_row_count": counts.get("clusters", 0),
            "observations": counts.get("clustered", 0),
            **shown,
        }
    return {
        "dagster/partition_row_count": counts.get(asset, 0),
        "deliveries": counts.get("deliveries", 0),
        **shown,
    }


def show_days(
    context: dg.AssetExecutionContext, assets: Sequence[str], rows: Mapping[date, DayRows]
) -> None:
    """Gives each day of the run its own metadata and its own timestamp."""
    for day, day_rows in rows.items():
        for asset in assets:
            context.add_asset_metadata(
                metadata_of_day(asset, day_rows), asset_key=asset, partition_key=day.isoformat()
            )
    give_own_timestamps(context)


def give_own_timestamps(context: dg.AssetExecutionContext) -> None:
    """Gives each materialization that this step will write a timestamp of its own."""
    context.log.addFilter(_OwnTimestamps())


class UniqueTimestamps:
    """Hands out timestamps of which no two are in the same millisecond."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, created: float) -> float:
        """The first free timestamp at or after `created`, both in seconds."""
        self._last = max(int(created * 1000), self._last + 1)
        # A quarter into the millisecond, so that rounding and truncating give the same one.
        return (self._last + 0.25) / 1000


class _OwnTimestamps(logging.Filter):
    """Gives each materialization of an asset in a run a millisecond of its own.

    The UI shows one event per millisecond: of 31 days that were written within 7 ms it showed 7.
    """

    def __init__(self) -> None:
        super().__init__()
        self._by_asset: dict[object, UniqueTimestamps] = defaultdict(UniqueTimestamps)

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "dagster_event", None)
        if isinstance(event, dg.DagsterEvent) and event.is_step_materialization:
            record.created = self._by_asset[event.asset_key].take(record.created)
        return True
