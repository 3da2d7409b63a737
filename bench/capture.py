"""Speed and memory from raw rows to all derived tables: `python -m bench.capture [FILE...]`.

Each file goes into a fresh database of a Postgres for this run. One process ingests it and another
processes it, so that the printed peak memory is only the pipeline's. Without files it uses the recorded
histories beside the checkout.
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
from pathlib import Path
from typing import Any

from bench.corpus import CORPUS
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.migrate import migrate

WANTED_PER_SECOND = 300
WANTED_MEMORY_MIB = 1024
ROW = "{:<24} {:>10} {:>12} {:>9} {:>12} {:>9}"


class _Silent:
    def waits(self, reason: str) -> None: ...

    def stage(self, title: str, total: int | None = None) -> None:
        """Shows nothing."""

    def advance(self, count: int) -> None:
        """Shows nothing."""


def ingest_file(database: Database, path: Path) -> dict[str, Any]:
    from datetime import UTC, date, datetime

    from lightfast_pipelines.inbox.files import ingest
    from lightfast_pipelines.inbox.jsonlines import read_lines
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.linked_resources import add_workspace

    began = time.perf_counter()
    with database.connect() as conn, path.open("rb") as stream:
        report = ingest(
            conn,
            add_workspace(conn, "bench"),
            discover()["github"],
            read_lines(stream, str(path), max_bytes=50 << 20),
            start=date(2008, 1, 1),
            now=datetime.now(UTC),
            on_problem=lambda line, reason: sys.exit(f"{line.file}:{line.number}: {reason}"),
        )
    return {"lines": report.lines, "seconds": time.perf_counter() - began}


def process_all(database: Database) -> dict[str, Any]:
    from lightfast_pipelines.embedding.pgvector import PgVectorIndex
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.processing import process

    began = time.perf_counter()
    report = process(database, settings(), WordLlamaEmbedder(), PgVectorIndex, _Silent())
    return {
        "deliveries": report.deliveries,
        "observations": report.embedded,
        "outcomes": dict(report.outcomes),
        "stages": report.seconds,
        "seconds": time.perf_counter() - began,
    }


def run_step(url: str, step: str, path: Path) -> None:
    """Runs a step in this process and prints its report as JSON."""
    database = Database(address=url)
    report = ingest_file(database, path) if step == "ingest" else process_all(database)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    report["mib"] = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps(report))


def run_in_child(url: str, step: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.capture", "--step", step, "--url", url, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.capture", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--step", choices=["ingest", "process"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        run_step(arguments.url, arguments.step, arguments.files[0])
        return
    files = arguments.files or sorted(CORPUS.glob("*.jsonl.gz"))
    if not files:
        sys.exit(f"no files given, and none in {CORPUS}")
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with server.acquire() as lease:
            print(
                f"{os.cpu_count()} processors; seconds are wall time, peak memory is that of the process\n"
            )
            print(
                ROW.format(
                    "file", "deliveries", "observations", "seconds", "deliveries/s", "peak MiB"
                )
            )
            rates, peaks = [], []
            for number, path in enumerate(files):
                name = f"bench_{number}"
                with Database(lease=lease).connect("migrator", autocommit=True) as conn:
                    conn.execute(f"CREATE DATABASE {name}")
                url = lease.url(database=name, user="lightfast_migrator")
                migrate(url, roles_log_in=True)
                ingested = run_in_child(url, "ingest", path)
                done = run_in_child(url, "process", path)
                rates.append(done["deliveries"] / done["seconds"])
                peaks.append(done["mib"])
                print(
                    ROW.format(
                        path.name,
                        f"{done['deliveries']:,}",
                        f"{done['observations']:,}",
                        f"{done['seconds']:.1f}",
                        f"{rates[-1]:,.0f}",
                        f"{done['mib']:.0f}",
                    )
                )
                stages = ", ".join(
                    f"{stage} {spent:.1f}" for stage, spent in done["stages"].items()
                )
                print(f"  seconds by stage: {stages}; outcomes: {done['outcomes']}")
                speed = ingested["lines"] / ingested["seconds"]
                print(
                    f"  ingest before that: {speed:,.0f} lines/s, {ingested['mib']:.0f} MiB",
                    flush=True,
                )
    print(
        f"\nslowest {min(rates):,.0f} deliveries/s (wanted {WANTED_PER_SECOND}), "
        f"most memory {max(peaks):.0f} MiB (wanted under {WANTED_MEMORY_MIB})"
    )


if __name__ == "__main__":
    main()
