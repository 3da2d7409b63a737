"""`python -m lightfast_pipelines.cli.stack.lost_runs SOCKET`: ends the runs of a code server that is gone.

For Dagster such a run would stay STARTED until its time limit, and keep the slot of a run that could do
its work. The tags of a run name its code server. Other homes' runs in the same storage are left alone,
and queued runs stay queued. This is a program of its own so that `up` need not import Dagster.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import dagster as dg

from lightfast_pipelines.cli.console import show
from lightfast_pipelines.cli.stack.future_ticks import forget_future_ticks
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
# Whatever requested these runs will request them again.
_ASKED_AGAIN = frozenset({PENDING_TAG, "dagster/schedule_name", "dagster/sensor_name"})


def end_lost_runs(
    instance: dg.DagsterInstance, database: Database, socket: str, *, alone: bool
) -> list[str]:
    """Ends the runs whose code server listened on a socket of this name; returns their ids.

    `alone` means that only this home uses the storage, so a run without a code server, or with another
    socket, is left from an earlier start.
    """
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_LIVING)):
        run = record.dagster_run
        if not _is_lost(run, socket, alone=alone):
            continue
        with database.connect(autocommit=True, application_name="lightfast up") as conn:
            end_sessions_of_run(conn, run.run_id)
        # Before the run ends, so that whoever sees the failure also sees the tag.
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
    server = run.tags.get(_SERVER_TAG)
    if server is None:
        # A run that another program executes in its own process is never STARTING.
        return alone and run.status is dg.DagsterRunStatus.STARTING
    run_socket = json.loads(server).get("socket")
    return run_socket is not None and (alone or Path(run_socket).name == socket)


def main() -> None:
    """Prints how many runs it ended, if any."""
    configured = settings()
    alone = configured.is_embedded and configured.dagster_database_url is None
    with open_database(configured, migrate=False) as database, dg.DagsterInstance.get() as instance:
        ended = end_lost_runs(instance, database, sys.argv[1], alone=alone)
        # An earlier start may have had another clock, and Dagster is imported only once here.
        forget_future_ticks(instance, time.time())
    if ended:
        show(f"ended {len(ended)} runs whose processes are gone: {', '.join(sorted(ended))}")


if __name__ == "__main__":
    main()
