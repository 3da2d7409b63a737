"""Writes materializations that belong to no run into Dagster's catalog, in batches.

`report_runless_asset_event` writes one event with a commit of its own: 55,000 of them, for a history of
19 years, took minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import dagster as dg

BATCH = 500
# The UI shows only one event of an asset per millisecond.
_APART_SECONDS = 0.001


def report_materializations(
    instance: dg.DagsterInstance,
    materializations: Sequence[dg.AssetMaterialization],
    *,
    now: datetime,
) -> None:
    """Stores them as events of no run, the last of each asset at `now`, the others just before it."""
    by_asset: dict[dg.AssetKey, list[dg.AssetMaterialization]] = defaultdict(list)
    for materialization in materializations:
        by_asset[materialization.asset_key].append(materialization)
    for events in by_asset.values():
        first = now.timestamp() - _APART_SECONDS * (len(events) - 1)
        entries = [
            _entry(event, first + _APART_SECONDS * position)
            for position, event in enumerate(events)
        ]
        # One asset per batch, as the storage records only a batch's last event as an asset's latest.
        for start in range(0, len(entries), BATCH):
            instance.event_log_storage.store_event_batch(entries[start : start + BATCH])


def _entry(materialization: dg.AssetMaterialization, timestamp: float) -> dg.EventLogEntry:
    # There is no public way to create an event's data; `report_runless_asset_event` uses this class too.
    from dagster._core.events import StepMaterializationData  # noqa: TID251

    return dg.EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level="INFO",
        user_message="",
        run_id="",
        job_name="",
        timestamp=timestamp,
        dagster_event=dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            job_name="",
            event_specific_data=StepMaterializationData(materialization),
        ),
    )
