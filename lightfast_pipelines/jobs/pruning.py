"""Deletes old runs and ticks from Dagster's storage, which would grow forever.

What Dagster has no call for is in `store/dagster_storage.py`.

Deleting a run deletes its materializations. So a run is kept if it holds the last materialization of
a partition, or that day would look as if it had never been captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import dagster as dg

_PAGE = 200
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(slots=True)
class Pruned:
    """Runs deleted, and old runs kept."""

    deleted: int = 0
    kept: int = 0


def prune_runs(instance: dg.DagsterInstance, *, before: datetime, at_most: int) -> Pruned:
    """Deletes at most `at_most` ended runs that were created before `before`, the oldest first."""
    kept = _last_runs(instance)
    pruned = Pruned()
    cursor: str | None = None
    while pruned.deleted < at_most:
        records = instance.get_run_records(
            dg.RunsFilter(statuses=_ENDED, created_before=before),
            limit=_PAGE,
            cursor=cursor,
            ascending=True,
        )
        for record in records[: at_most - pruned.deleted]:
            run_id = record.dagster_run.run_id
            if run_id in kept:
                pruned.kept += 1
                cursor = run_id
            else:
                instance.delete_run(run_id)
                # Dagster leaves the captured output of the run, three files for each.
                instance.compute_log_manager.delete_logs(prefix=[run_id])
                pruned.deleted += 1
        if len(records) < _PAGE:
            break
    return pruned


def prune_ticks(instance: dg.DagsterInstance, *, before: datetime) -> int:
    """Deletes ticks before `before`; returns the number of sensors and schedules."""
    states = instance.all_instigator_state()
    for state in states:
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before.timestamp())
    return len(states)


def _last_runs(instance: dg.DagsterInstance) -> set[str]:
    """Runs that hold the last materialization of an asset or of one of its partitions."""
    run_ids: set[str] = set()
    for record in instance.get_asset_records():
        entry = record.asset_entry
        if entry.last_materialization is not None:
            run_ids.add(entry.last_materialization.run_id)
        last = instance.get_latest_storage_id_by_partition(
            entry.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        ids = sorted(last.values())
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            events = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=entry.asset_key, storage_ids=page), limit=len(page)
            )
            run_ids.update(event.run_id for event in events.records)
    return run_ids
