"""`python -m lightfast_pipelines.cli.stack.lost_runs SOCKET`: ends the runs of a code server that is gone.

To Dagster such a run stays STARTED until its longest time is over, and takes the slot of a run that
would do its work. Which code server a run belongs to stands in its tags. Runs of others that share the
storage, and work that is no run of Dagster (`lightfast process`), are none of its business; queued runs
stay queued. A program of its own, so that `up` need not import Dagster.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dagster as dg

from lightfast_pipelines.cli.console import show
from lightfast_pipelines.resources.database import LOST_TAG, PENDING_TAG
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database, open_database
from lightfast_pipelines.store.locks import end_sessions_of_run

WHY = "The processes of this run ended with the `lightfast up` that ran it."
_SERVER_TAG = ".dagster/grpc_info"
_LIVING = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# What asked for them asks again.
_ASKED_AGAIN = frozenset({PENDING_TAG, "dagster/schedule_name", "dagster/sensor_name"})


def end_lost_runs(
    instance: dg.DagsterInstance, database: Database, socket: str, *, alone: bool
) -> list[str]:
    """Ends runs whose code server listened on a socket of this name; returns their ids.

    `alone`: the storage is this home's own, so that what names no code server yet, or another socket,
    is an earlier start's.
    """
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_LIVING)):
        run = record.dagster_run
        if not _is_lost(run, socket, alone=alone):
            continue
        with database.connect(autocommit=True, application_name="lightfast up") as conn:
            end_sessions_of_run(conn, run.run_id)
        # Before its end: whoever reads that it failed reads also why.
        retries = {"dagster/max_retries": "0"} if _ASKED_AGAIN & run.tags.keys() else {}
        instance.add_run_tags(run.run_id, {LOST_TAG: "true", **retries})
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, WHY)
        else:
            instance.report_run_failed(run, WHY)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def _is_lost(run: dg.DagsterRun, socket: str, *, alone: bool) -> bool:
    told = run.tags.get(_SERVER_TAG)
    if told is None:
        # One that a program of somebody's runs by itself was never launched.
        return alone and run.status is dg.DagsterRunStatus.STARTING
    listened = json.loads(told).get("socket")
    return listened is not None and (alone or Path(listened).name == socket)


def main() -> None:
    """Prints a line that says how many there were, if any."""
    chosen = settings()
    alone = chosen.is_embedded and chosen.dagster_database_url is None
    with open_database(chosen, migrate=False) as database, dg.DagsterInstance.get() as instance:
        ended = end_lost_runs(instance, database, sys.argv[1], alone=alone)
    if ended:
        show(f"ended {len(ended)} runs whose processes are gone: {', '.join(sorted(ended))}")


if __name__ == "__main__":
    main()
