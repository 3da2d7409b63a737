"""What the page of an asset's day shows: that day's rows as the tables hold them, whoever wrote them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from lightfast_pipelines.assets._metadata import masked, preview
from lightfast_pipelines.store.day_rows import DayRows

# Views of an observation that have a vector each.
_VIEWS = 3
_APART_SECONDS = 0.001


def metadata_of_day(asset: str, rows: DayRows) -> dict[str, Any]:
    """Counts of the day and some of its rows, a title or label first."""
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
    """Gives each day of the run metadata and a moment of its own."""
    for day, day_rows in rows.items():
        for asset in assets:
            context.add_asset_metadata(
                metadata_of_day(asset, day_rows), asset_key=asset, partition_key=day.isoformat()
            )
    give_own_moments(context)


def give_own_moments(context: dg.AssetExecutionContext) -> None:
    """Gives each materialization that this step will write a moment of its own."""
    context.log.addFilter(_MomentOfItsOwn())


class _MomentOfItsOwn(logging.Filter):
    """Sets the materializations of an asset in a run at least a millisecond apart.

    The UI lists events by their millisecond: of a range of 31 days, written in 7, it listed 7.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "dagster_event", None)
        if isinstance(event, dg.DagsterEvent) and event.is_step_materialization:
            earliest = self._last.get(event.asset_key, 0.0) + _APART_SECONDS
            record.created = max(record.created, earliest)
            self._last[event.asset_key] = record.created
        return True
