"""Hands the memory's database to assets and sensors, with one lease on it per process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import cache

import dagster as dg

from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database, open_database
from lightfast_pipelines.store.locks import presence

PENDING_TAG = "lightfast/pending"
"""Tag of runs that take only pending work. Its value: `recent`, `backlog`, `hosted` or `export`."""

LOST_TAG = "lightfast/lost"
"""Tag of a run that was ended because its processes were gone: its work is not at fault."""

# A run over days that only reads a provider's history, or the memory, takes no pending work and may last
# for hours, so other runs need not wait for it.
_READ_ONLY = frozenset({dg.AssetKey("provider_history"), dg.AssetKey("observations_parquet")})
_JOB_THAT_READS_ONLY = "backfill"
# They work on days too, but no other run has to wait for them.
_JOBS_BESIDE = frozenset({"hosted_vectors", "export"})

RUN_KINDS = ("recent", "backlog", "by hand")


class DatabaseResource(dg.ConfigurableResource[Database]):
    """The database that the environment names, or the embedded one; nothing is opened on import.

    While a run is alive, it holds a lock in Postgres that says so. So sensors and schedules need not
    trust Dagster's record of a run, whose process may be gone.
    """

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Database]:
        database = opened()
        if context.run is None:
            yield database
            return
        database.run_id = context.run.run_id
        try:
            kind = presence_of_run(context.run)
            if kind is None:
                yield database
                return
            with (
                database.connect("pipeline", application_name=f"lightfast run {kind}") as conn,
                presence(conn, kind),
            ):
                yield database
        finally:
            database.run_id = None


def presence_of_run(run: dg.DagsterRun) -> str | None:
    """The presence that a run shows while it is alive: its kind if it works on days, else its job."""
    if run.job_name in _JOBS_BESIDE:
        return presence_of_job(run.job_name)
    selected = run.asset_selection
    if run.job_name == _JOB_THAT_READS_ONLY or (selected and selected <= _READ_ONLY):
        return None
    return kind_of_run(run.tags) or presence_of_job(run.job_name)


def waiting_to_capture(kind: str) -> str:
    """The presence that a sensor's run of this kind shows while it waits for capture's lock."""
    return f"{kind} waiting to capture"


def captures_until(kind: str, last: date) -> str:
    """The presence that a sensor's run over days up to `last` shows while it captures what arrives and no
    other run is needed for that."""
    return f"{kind} captures until {last}"


def presence_of_job(job_name: str) -> str:
    """The presence that a run of this job shows while it is alive, if it does not work on days."""
    return f"job {job_name}"


def kind_of_run(tags: Mapping[str, str]) -> str | None:
    """Which of RUN_KINDS a run with these tags is; None if it does not work on days."""
    if PENDING_TAG in tags:
        return tags[PENDING_TAG]
    over_days = {"dagster/partition", "dagster/asset_partition_range_start"} & tags.keys()
    return "by hand" if over_days else None


@cache
def opened() -> Database:
    """The process's database."""
    # Never closed: every step and tick of the process asks for it again, and the kernel returns the
    # lease when the process ends.
    return open_database(settings())
