"""What a stack costs an hour while nothing happens: `python -m bench.idle [--minutes 20]`.

It tells the demo's story in a home of its own, processes all of it, starts `lightfast up` there, and then
only watches: runs, ticks, the event log, the write-ahead log and the processor time of each process. No key
is set and no provider linked with a credential, so nothing calls out.

A run that comes once a day also comes soon after a start, so in a short watch it counts as 1/24 an hour.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg

from bench.report import Measurement, Report, add_json_option, finish
from bench.running_stack import RunningStack, running_stack
from bench.torture.memory import command
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Connection

MOST_RUNS = 15
MOST_EVENT_MEGABYTES = 1.0
_MB = 1_000_000
# Jobs whose schedules ask for a run a day even if nothing has changed.
ONCE_A_DAY = ("health", "liveness", "upkeep", "waiting")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tables and processes say at one moment."""

    at: float
    wal: int
    event_rows: dict[str, int]
    """Rows of the event log by job; those of no run under an empty name."""
    event_bytes: dict[str, int]
    runs_of: Counter[str]
    ticks: tuple[int, int]
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of a table of Dagster's with its indexes."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds by process, with those of ended children."""


def read(stack: RunningStack) -> Reading:
    url = EmbeddedPostgres(stack.home).url_if_running("dagster", "lightfast_migrator")
    assert url is not None, "the database does not run"
    with psycopg.connect(url) as conn:
        wal = _one(conn, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")[0]
        sizes = {
            str(name): int(size)
            for name, size in conn.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
                " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        }
        events = conn.execute(
            "SELECT coalesce(r.pipeline_name, ''), count(*), sum(pg_column_size(e.*))"
            " FROM event_logs e LEFT JOIN runs r ON r.run_id = e.run_id GROUP BY 1"
        ).fetchall()
        runs = conn.execute("SELECT pipeline_name, count(*) FROM runs GROUP BY 1").fetchall()
        ticks = _one(
            conn, "SELECT count(*), coalesce(sum(pg_column_size(t.*)), 0) FROM job_ticks t"
        )
        return Reading(
            time.monotonic(),
            int(wal),
            {str(job): int(rows) for job, rows, _ in events},
            {str(job): int(size) for job, _, size in events},
            Counter(dict(runs)),
            (ticks[0], ticks[1]),
            sizes,
            stack.cpu_seconds(),
        )


def _one(conn: Connection, query: LiteralString) -> tuple[int, ...]:
    row = conn.execute(query).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


@contextmanager
def told_stack(home: Path) -> Iterator[RunningStack]:
    """`lightfast up` with a demo's history, and with nothing to do."""
    command(home, "demo", "--once")
    command(home, "process")
    try:
        with running_stack(home) as stack:
            yield stack
    finally:
        EmbeddedPostgres(home).stop(force=True)


def hourly(first: Mapping[str, int], last: Mapping[str, int], hours: float) -> float:
    """What came in an hour, by job; of a job that runs once a day, what came in 24 hours."""
    return sum(
        (count - first.get(job, 0)) / (24 if job in ONCE_A_DAY else hours)
        for job, count in last.items()
    )


def report_of(first: Reading, last: Reading) -> Report:
    hours = (last.at - first.at) / 3600
    ticks = tuple(after - before for before, after in zip(first.ticks, last.ticks, strict=True))
    seconds = {name: used - first.seconds.get(name, 0.0) for name, used in last.seconds.items()}
    cores = {name: used / hours / 36 for name, used in seconds.items()}
    jobs = last.runs_of - first.runs_of
    report = Report("idle")
    report.add(
        Measurement(
            "runs an hour with nothing to do", hourly(first.runs_of, last.runs_of, hours),
            reach=MOST_RUNS, absolute=f"{jobs.total()} in {60 * hours:.0f} minutes",
        ),
        Measurement(
            "event log an hour", hourly(first.event_bytes, last.event_bytes, hours) / _MB,
            unit="MB", reach=MOST_EVENT_MEGABYTES,
            absolute=f"{hourly(first.event_rows, last.event_rows, hours):.0f} rows",
        ),
        Measurement(
            "ticks an hour", ticks[0] / hours, absolute=f"{ticks[1] / hours / _MB:.2f} MB of rows",
        ),
        Measurement("write-ahead log an hour", (last.wal - first.wal) / hours / _MB, unit="MB"),
        Measurement(
            "processor time", sum(cores.values()), unit="% of a core",
            absolute=", ".join(
                f"{name} {share:.2f}" for name, share in sorted(cores.items(), key=lambda i: -i[1])
            ),
        ),
    )  # fmt: skip
    grown = {
        name: size - first.sizes.get(name, 0)
        for name, size in last.sizes.items()
        if size > first.sizes.get(name, 0)
    }
    report.notes.append(
        "runs by job: "
        + (", ".join(f"{job} {count}" for job, count in jobs.most_common()) or "none")
        + f" (once a day: {', '.join(ONCE_A_DAY)})"
        + "\nDagster's tables that grew, with indexes: "
        + (", ".join(f"{name} {size / 1024:.0f} KiB" for name, size in grown.items()) or "none")
    )
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="how long to watch")
    parser.add_argument("--settle", type=float, default=120.0, help="seconds before it watches")
    add_json_option(parser)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="lightfast-idle-") as folder,
        told_stack(Path(folder) / "home") as stack,
    ):
        time.sleep(options.settle)
        first = read(stack)
        time.sleep(60 * options.minutes)
        last = read(stack)
        report = report_of(first, last)
    return finish(report, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
