"""Speed and memory from raw rows to all derived tables: `python -m bench.capture [FILE...] [--rounds N]`.

Each round ingests a file into a fresh database in one process and processes it in another, so that the peak
memory is only the pipeline's. Right after it, on the same machine, comes what no pipeline can avoid
(`bench/floor.py`): decoding the bodies, embedding the texts, and copying the final rows into empty tables
with the same indexes. The figure is the time of `process` over the sum of these. Without files it uses the
recorded histories beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.corpus import CORPUS
from bench.floor import (
    Floor,
    Spent,
    bloat,
    copy_rows,
    decode_bodies,
    drop_copies,
    embed_texts,
    row_counts,
    server_seconds,
    written,
)
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, Lease
from lightfast_pipelines.processing import StageProgress
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database

MOST_TIMES_THE_FLOOR = 2.5
MOST_MEMORY_MIB = 1024
MOST_BLOAT = 1.3
# The histories whose figure counts: the commits of ipython alone are half a history.
_COUNTED = ("ipython", "starlette")


class _Silent:
    def waits(self, reason: str) -> None: ...

    def stage(self, title: str, total: int | None = None) -> None:
        """Shows nothing."""

    def advance(self, count: int) -> None:
        """Shows nothing."""


class _CountingStages(_Silent):
    """Counts the CPU seconds of this process and the server by stage: a busy machine changes them little."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._title = "start"
        self._until = self._now()
        self.cpu: dict[str, float] = {}

    def stage(self, title: str, total: int | None = None) -> None:  # noqa: ARG002
        """The stage that began before ends here."""
        now = self._now()
        self.cpu[self._title] = self.cpu.get(self._title, 0.0) + now - self._until
        self._title, self._until = title, now

    def _now(self) -> float:
        return time.process_time() + server_seconds(self._conn)


@dataclass(slots=True)
class Rounds:
    """What each round of a file came to."""

    name: str
    deliveries: int = 0
    observations: int = 0
    floors: list[Floor] = field(default_factory=list)
    processed: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        return [report["seconds"] for report in self.processed]


def ingest_file(
    database: Database,
    path: Path,
    workspace: str = "bench",
    org_id: str = "default",
    provider: str = "github",
) -> dict[str, Any]:
    from datetime import UTC, date, datetime

    from lightfast_pipelines.inbox.files import ingest
    from lightfast_pipelines.inbox.jsonlines import read_lines
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.linked_resources import add_workspace

    began = time.perf_counter()
    with database.connect() as conn, path.open("rb") as stream:
        report = ingest(
            conn,
            add_workspace(conn, workspace, org_id),
            discover()[provider],
            read_lines(stream, str(path), max_bytes=50 << 20),
            start=date(2008, 1, 1),
            now=datetime.now(UTC),
            on_problem=lambda line, reason: sys.exit(f"{line.file}:{line.number}: {reason}"),
        )
    return {"lines": report.lines, "seconds": time.perf_counter() - began}


def process_all(database: Database, progress: StageProgress | None = None) -> dict[str, Any]:
    from lightfast_pipelines.embedding.pgvector import PgVectorIndex
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.processing import process

    began, cpu_began = time.perf_counter(), time.process_time()
    report = process(
        database, settings(), WordLlamaEmbedder(), PgVectorIndex, progress or _Silent()
    )
    return {
        "deliveries": report.deliveries,
        "observations": report.embedded,
        "outcomes": dict(report.outcomes),
        "stages": report.seconds,
        "seconds": time.perf_counter() - began,
        "python_seconds": time.process_time() - cpu_began,
    }


def _measured_process(database: Database) -> dict[str, Any]:
    """Processes all, and counts the seconds of the server, which does nothing else meanwhile."""
    with database.connect(autocommit=True) as conn:
        began = server_seconds(conn)
        stages = _CountingStages(conn)
        report = process_all(database, stages)
        stages.stage("end")
        # A session that has ended counts only once the server has noticed.
        while conn.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'lightfast process'"
        ).fetchone():
            time.sleep(0.01)
        spent = server_seconds(conn) - began
        return report | {"server_seconds": spent, "cpu_by_stage": stages.cpu}


def _measured_run(database: Database) -> dict[str, Any]:
    """What a run of the job `memory` does: captures, embeds and clusters all that waits, and no more."""
    from datetime import UTC, datetime

    from lightfast_pipelines.capture.queue.batches import capture
    from lightfast_pipelines.clustering.provisional import assign_provisional
    from lightfast_pipelines.embedding.pgvector import PgVectorIndex
    from lightfast_pipelines.embedding.stage import embed_pending
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder

    rows, embedder, spent = settings().run_rows, WordLlamaEmbedder(), dict[str, float]()
    with database.connect(autocommit=True) as watching, database.connect() as conn:
        stages = _CountingStages(watching)
        stages.stage("capture")
        captured = capture(
            conn,
            days=None,
            max_rows=rows,
            batch_rows=settings().batch_rows,
            now=datetime.now(UTC),
        )
        conn.commit()
        spent["capture"] = captured.seconds
        stages.stage("embeddings")
        spent["embeddings"] = embed_pending(
            conn, embedder, PgVectorIndex(conn), max_rows=rows
        ).seconds
        stages.stage("clusters")
        spent["clusters"] = assign_provisional(conn, max_rows=rows).seconds
        stages.stage("end")
    return {"deliveries": captured.deliveries, "stages": spent, "cpu_by_stage": stages.cpu}


def _unavoidable(database: Database) -> dict[str, Any]:
    with database.connect() as conn:
        return {"decoding": asdict(decode_bodies(conn)), "embedder": asdict(embed_texts(conn))}


def run_step(url: str, step: str, path: Path) -> None:
    """Runs a step in this process and prints its report as JSON."""
    database = Database(address=url)
    match step:
        case "ingest":
            report = ingest_file(database, path)
        case "process":
            report = _measured_process(database)
        case "run":
            report = _measured_run(database)
        case _:
            report = _unavoidable(database)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    report["mib"] = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps(report))


def run_in_child(url: str, step: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.capture", "--step", step, "--url", url, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def measure(lease: Lease, name: str, path: Path, rounds: Rounds) -> None:
    """One round: the pipeline, then its floor, in a database of their own."""
    with Database(lease=lease).connect("migrator", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    database = Database(lease=lease, name=name)
    database.migrate()
    url = database.url("migrator")
    run_in_child(url, "ingest", path)
    with database.connect("migrator") as owner:
        before = row_counts(owner)
        owner.rollback()
        done = run_in_child(url, "process", path)
        alone = run_in_child(url, "floor", path)
        rounds.tables = written(before, row_counts(owner))
        rows = copy_rows(owner, rounds.tables)
        rounds.sizes.append(bloat(owner, "observation_facts"))
        drop_copies(owner)
    rounds.processed.append(done)
    rounds.floors.append(Floor(Spent(**alone["decoding"]), Spent(**alone["embedder"]), rows))
    rounds.deliveries, rounds.observations = done["deliveries"], done["observations"]
    with Database(lease=lease).connect("migrator", autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name}")


def add_to(report: Report, rounds: Rounds) -> None:
    """The measurements of a file."""
    name, middle = rounds.name, _middle(rounds)
    floor, done = rounds.floors[middle], rounds.processed[middle]
    stages = sorted(done["stages"].items(), key=lambda item: -item[1])
    shares = ", ".join(f"{stage} {spent:.1f}" for stage, spent in stages if spent >= 0.05)
    report.add(
        Measurement.of(
            f"{name}: process / floor",
            [s / f.seconds for s, f in zip(rounds.seconds, rounds.floors, strict=True)],
            reach=MOST_TIMES_THE_FLOOR if name in _COUNTED else None,
            absolute=f"{done['seconds']:.1f} s of decoding {floor.decoding.seconds:.2f}, embedder "
            f"{floor.embedder.seconds:.2f}, rows {floor.rows.seconds:.2f}",
            reason=f"seconds by stage: {shares}",
        ),
        Measurement.of(
            f"{name}: the same of CPU seconds",
            [
                (spent["python_seconds"] + spent["server_seconds"]) / alone.cpu
                for spent, alone in zip(rounds.processed, rounds.floors, strict=True)
            ],
            absolute=f"{done['python_seconds']:.1f} of Python + {done['server_seconds']:.1f} of "
            f"Postgres, of {floor.cpu:.2f}",
        ),
        Measurement.of(
            f"{name}: deliveries a second", [rounds.deliveries / s for s in rounds.seconds]
        ),
        Measurement.of(
            f"{name}: peak memory",
            [report["mib"] for report in rounds.processed],
            unit="MiB",
            reach=MOST_MEMORY_MIB,
        ),
        Measurement.of(
            f"{name}: table of observations / fresh copy",
            [size / copy for size, copy in rounds.sizes],
            reach=MOST_BLOAT,
            absolute="{:.1f} of {:.1f} MB".format(*(n / 1e6 for n in rounds.sizes[middle])),
        ),
    )
    for part in ("decoding", "embedder", "rows"):
        share = getattr(floor, part).seconds / floor.seconds
        report.add(Measurement(f"{name}: {part} / floor", share))
    for stage, spent in stages:
        if spent >= 0.05:
            report.add(Measurement(f"{name}: {stage} / process", spent / done["seconds"]))
    report.notes.append(
        f"{name}: {rounds.deliveries:,} deliveries, {rounds.observations:,} observations, "
        f"outcomes {done['outcomes']}\n  rows copied of {', '.join(rounds.tables)}"
    )


def _middle(rounds: Rounds) -> int:
    """The round whose time is the median."""
    order = sorted(range(len(rounds.seconds)), key=lambda number: rounds.seconds[number])
    return order[len(order) // 2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.capture", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--step", choices=["ingest", "process", "run", "floor"], help=argparse.SUPPRESS
    )
    parser.add_argument("--url", help=argparse.SUPPRESS)
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.step:
        run_step(arguments.url, arguments.step, arguments.files[0])
        return 0
    files = arguments.files or sorted(CORPUS.glob("*.jsonl.gz"))
    if not files:
        sys.exit(f"no files given, and none in {CORPUS}")
    results = {path: Rounds(path.name.partition(".")[0]) for path in files}
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with server.acquire() as lease:
            # One after the other in each round, so that a busy minute does not hit one file alone.
            for number in range(arguments.rounds):
                for place, (path, rounds) in enumerate(results.items()):
                    measure(lease, f"bench_{number}_{place}", path, rounds)
                    print(f"{rounds.name}: {rounds.seconds[-1]:.1f} s", file=sys.stderr, flush=True)
    report = Report("capture")
    report.notes.append(
        f"{os.cpu_count()} processors; seconds are wall time, peak memory is that of the process"
    )
    for rounds in results.values():
        add_to(report, rounds)
    return finish(report, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
