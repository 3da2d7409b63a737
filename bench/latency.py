"""How long until a webhook can be queried, at a constant rate: `python -m bench.latency [FILE...]`.

Runs `lightfast up` in a home of its own, without and with `--worker`, and sends it signed deliveries of
recorded histories. A delivery is queryable when another connection sees an observation that it states.
The time counts from the moment at which the delivery was meant to be sent.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.corpus import CORPUS
from bench.latency_load import Histories, Repository, delivery_id, send
from bench.report import Curve, Measurement, Report, add_json_option, finish
from bench.running_stack import START_SECONDS, running_stack
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.locks import WORKER_SETTLES, present

SECRET = "bench-secret"  # noqa: S105 - signs nothing but this run's own load
LOOK_SECONDS = 0.1
# How long after the last delivery everything must be queryable.
PATIENCE_SECONDS = 180.0
REACH = {"sensor": 20.0, "worker": 2.0}
WINDOW_SECONDS = 10.0

# What was captured since the last look, and whether an observation states it. Outcomes have increasing
# ids, and one session at a time captures.
_CAPTURED = """
SELECT o.id, p.delivery_id, EXISTS (
  SELECT FROM lightfast.observation_sources s
  JOIN lightfast.observations seen ON seen.id = s.observation_id
  WHERE s.raw_payload_id = p.id)
FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
WHERE o.id > %s
"""


@dataclass(frozen=True, slots=True)
class Result:
    """`seconds` by delivery in order of sending; `unseen` are deliveries that no observation states."""

    seconds: list[tuple[float, float]]
    unseen: int
    lost: int
    runs: list[tuple[float, float | None, float | None]]
    """When each run was asked for, began and ended, in seconds since the first delivery."""
    cpu_seconds: float
    took: float
    refused: int
    late: float
    """By how much the sender itself was late, at most."""


class Looker(threading.Thread):
    """Notes when each delivery is first seen."""

    def __init__(self, database: Database) -> None:
        super().__init__(name="looker", daemon=True)
        self.seen: dict[str, float] = {}
        self.without_observation: set[str] = set()
        self.stopped = threading.Event()
        self._database = database

    def run(self) -> None:
        last = 0
        with self._database.connect(autocommit=True) as conn:
            while not self.stopped.wait(LOOK_SECONDS):
                rows = conn.execute(_CAPTURED, (last,)).fetchall()
                now = time.monotonic()
                for outcome, delivery, has_observation in rows:
                    last = max(last, outcome)
                    if has_observation:
                        self.seen.setdefault(delivery, now)
                    else:
                        self.without_observation.add(delivery)


def wait_for_worker(database: Database) -> None:
    deadline = time.monotonic() + START_SECONDS
    with database.connect(autocommit=True) as conn:
        while not present(conn, [WORKER_SETTLES]):
            if time.monotonic() > deadline:
                raise SystemExit("the worker does not begin to work")
            time.sleep(0.2)


def link(conn: Connection, repositories: Sequence[Repository]) -> None:
    workspace = add_workspace(conn, "bench")
    for repository in repositories:
        link_resource(conn, workspace, "github", str(repository.id), name=repository.name)
    conn.commit()


def measure(folder: Path, histories: Histories, how: str, options: argparse.Namespace) -> Result:
    home = folder / how
    home.mkdir()
    count = round(options.rate * options.seconds)
    server = EmbeddedPostgres(home, idle_seconds=5)
    try:
        with Database(lease=server.acquire()) as database:
            database.migrate()
            with database.connect() as conn:
                link(conn, histories.repositories(count))
            with running_stack(
                home,
                *(["--worker"] if how == "worker" else []),
                environment={"GITHUB_WEBHOOK_SECRET": SECRET},
            ) as stack:
                if how == "worker":
                    wait_for_worker(database)
                looker = Looker(database)
                looker.start()
                before, began = sum(stack.cpu_seconds().values()), time.monotonic()
                url = stack.webhooks_url("github")
                sent = send(histories.deliveries(), url, SECRET.encode(), options.rate, count)
                deadline = time.monotonic() + PATIENCE_SECONDS
                while len(looker.seen.keys() | looker.without_observation) < count:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(LOOK_SECONDS)
                took = time.monotonic() - began
                used = sum(stack.cpu_seconds().values()) - before
                looker.stopped.set()
                looker.join()
                runs = runs_since(database, time.time() - (time.monotonic() - sent.meant[0]))
    finally:
        server.stop(force=True)
        shutil.rmtree(home, ignore_errors=True)
    seconds = [
        (meant - sent.meant[0], looker.seen[delivery_id(number)] - meant)
        for number, meant in sent.meant.items()
        if delivery_id(number) in looker.seen
    ]
    unseen = len(looker.without_observation - looker.seen.keys())
    lost = count - len(seconds) - unseen
    refused = count - sent.statuses[200]
    return Result(seconds, unseen, lost, runs, used, took, refused, sent.latest_start)


def runs_since(
    database: Database, first_sent: float
) -> list[tuple[float, float | None, float | None]]:
    """The runs of the job `memory` that Dagster has stored."""
    with psycopg.connect(database.dagster_address()) as conn:
        return conn.execute(
            """
            SELECT extract(epoch FROM create_timestamp)::float8 - %(first)s,
                   start_time - %(first)s, end_time - %(first)s
            FROM runs WHERE pipeline_name = 'memory' ORDER BY id
            """,
            {"first": first_sent},
        ).fetchall()


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def add(report: Report, how: str, result: Result, options: argparse.Namespace) -> None:
    ordered = sorted(seconds for _, seconds in result.seconds)
    if not ordered:
        raise SystemExit(f"nothing became queryable by the {how}")
    about = (
        f"{len(ordered):,} of {options.rate:g}/s in {options.seconds:g} s; {len(result.runs)} runs; "
        f"{result.cpu_seconds / result.took:.2f} cores; sent at most {result.late:.2f} s late"
    )
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
        report.add(
            Measurement(
                f"sent to queryable, {how}, {name}",
                percentile(ordered, share),
                "s",
                reach=REACH[how] if name == "p95" else None,
                absolute=about if name == "p95" else "",
            )
        )
    report.add(
        Measurement(
            f"lost or refused, {how}",
            result.lost + result.refused,
            reach=0,
            absolute=f"{result.unseen} state no observation",
        )
    )
    if result.runs:
        report.notes.append(
            f"runs with the {how}: asked for, begun and ended, in seconds since the first delivery:\n"
            + "\n".join(
                "  " + "".join(f"{'-' if at is None else f'{at:.1f}':>8}" for at in run)
                for run in result.runs
            )
        )
    report.curves.append(
        Curve("latency", f"p95, {how}", windows(result.seconds), "seconds of load", "seconds")
    )


def windows(seconds: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(end of a window of ten seconds, p95 of what was sent in it)."""
    by_window: dict[int, list[float]] = {}
    for at, took in seconds:
        by_window.setdefault(int(at // WINDOW_SECONDS), []).append(took)
    return [
        ((window + 1) * WINDOW_SECONDS, percentile(sorted(by_window[window]), 0.95))
        for window in sorted(by_window)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--rate", type=float, default=50.0, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=600.0, help="of load, for each way")
    parser.add_argument("--only", choices=list(REACH), help="one way instead of both")
    add_json_option(parser)
    options = parser.parse_args()
    files = options.files or [CORPUS / "ipython.jsonl.gz", CORPUS / "starlette.jsonl.gz"]
    histories = Histories(files)
    report = Report("latency")
    os.environ.pop("LIGHTFAST_DATABASE_URL", None)
    with tempfile.TemporaryDirectory() as folder:
        for how in [options.only] if options.only else list(REACH):
            add(report, how, measure(Path(folder), histories, how, options), options)
    return finish(report, options.json)


if __name__ == "__main__":
    sys.exit(main())
