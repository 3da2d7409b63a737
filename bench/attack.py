"""Floods the receiver while honest deliveries arrive: `python -m bench.attack --seconds 60`.

Each flood of `attack_floods.py` gets a receiver of its own, with 1,024 descriptors as on many systems,
and a Postgres of this run's own; first the flood comes from other addresses than the honest sender's,
then from the same one, as behind a proxy. The receiver holds if each of 50 honest deliveries a second
is answered 200 within a second (or ten times the quiet p99), its memory grows by less than 200 MB and
its log by less than 10 MB. Exits 1 if any flood breaks it. Everything stays on loopback.

Flood, honest sender and receiver share the machine's cores. So the flood is paced, at about 400
requests, 1,100 connections or 24 MB a second: enough to exhaust a receiver that keeps too much, and
too little to merely keep the cores busy.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.attack_floods import FLOODS
from bench.receiver_servers import SECRET, free_port, process, receiver_environment
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Database

MOST_MEMORY = 200 * 1024 * 1024
MOST_LOG = 10 * 1000 * 1000
SLOWEST_SECONDS = 1.0
DESCRIPTORS = 1024
ROW = "{:<24}{:<7}{:>8}{:>9}{:>11}{:>10}{:>9}{:>9}  {}"


@dataclass
class Result:
    honest: dict[str, Any]
    flood: dict[str, int]
    memory: int
    log: int
    rows: int

    def faults(self, slowest: float) -> list[str]:
        refused = {s: n for s, n in self.honest["outcomes"].items() if s != "200"}
        return [
            *([f"honest: {refused}"] if refused else []),
            *(["slow"] if self.honest["longest"] > slowest else []),
            *(["memory"] if self.memory > MOST_MEMORY else []),
            *(["log"] if self.log > MOST_LOG else []),
            *(["rows are missing"] if self.rows < self.honest["outcomes"].get("200", 0) else []),
        ]


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


@contextmanager
def _child(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def measure(
    home: Path,
    database: Database,
    name: str | None,
    same_address: bool,
    options: argparse.Namespace,
) -> Result:
    """Measures one flood, or none, against a receiver of its own."""
    port, log = free_port(), home / "log"
    log.write_bytes(b"")
    environment = receiver_environment(home, port)
    command = ["-m", "webhook_receiver"]
    with process(command, port, log, environment, _few_descriptors) as server:
        time.sleep(1.0)  # until the database is connected and the start is over
        honest = ["bench.attack_honest", "--port", str(port), "--secret", SECRET]
        # Memory is compared with that of a receiver which has already worked.
        with _child(*honest, "--seconds", "1") as child:
            child.wait()
        receiver = psutil.Process(server.pid)
        memory, log_size = receiver.memory_info().rss, log.stat().st_size
        most = memory
        flood: list[str] = []
        if name is not None:
            flood = ["bench.attack_floods", name, "--port", str(port), "--seed", str(options.seed)]
            flood += ["--seconds", str(options.seconds), "--sources", "0" if same_address else "8"]
        with (
            _child(*honest, "--seconds", str(options.seconds)) as sender,
            _child(*(flood or ["bench.attack_floods", "--help"])) as attacker,
        ):
            while sender.poll() is None:
                most = max(most, receiver.memory_info().rss)
                time.sleep(0.05)
            assert sender.stdout is not None
            assert attacker.stdout is not None
            answered = json.loads(sender.stdout.read())
            attacker.wait(60)
            sent = json.loads(attacker.stdout.read()) if flood else {}
        log_size = log.stat().st_size - log_size
    with database.connect("migrator") as conn:
        count_row = conn.execute("SELECT count(*) FROM lightfast.raw_payloads").fetchone()
        assert count_row is not None
        conn.execute("TRUNCATE lightfast.raw_payloads CASCADE")
    return Result(answered, sent, most - memory, log_size, int(count_row[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each flood")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=FLOODS, action="append", help="this flood; repeatable")
    parser.add_argument("--sender", choices=["other", "same", "both"], default="both")
    options = parser.parse_args()
    os.environ.pop("LIGHTFAST_DATABASE_URL", None)
    fine = True
    titles = ("flood", "from", "honest", "p99 ms", "longest ms", "memory MB", "log MB", "conns")
    print(ROW.format(*titles, ""))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = EmbeddedPostgres(home, idle_seconds=5)
        try:
            with Database(lease=server.acquire()) as database:
                database.migrate()
                slowest = SLOWEST_SECONDS
                sides = [False, True] if options.sender == "both" else [options.sender == "same"]
                runs = [(name, side) for name in options.only or FLOODS for side in sides]
                for name, same_address in [(None, False), *runs]:
                    result = measure(home, database, name, same_address, options)
                    if name is None:
                        slowest = max(slowest, 10 * result.honest["p99"])
                    faults = result.faults(slowest)
                    fine &= not faults
                    print(
                        ROW.format(
                            name or "(quiet)",
                            "" if name is None else "same" if same_address else "others",
                            result.honest["outcomes"].get("200", 0),
                            f"{result.honest['p99'] * 1000:.1f}",
                            f"{result.honest['longest'] * 1000:.0f}",
                            f"{result.memory / 1024 / 1024:.0f}",
                            f"{result.log / 1e6:.2f}",
                            result.flood.get("connections", 0),
                            ", ".join(faults) or "holds",
                        ),
                        flush=True,
                    )
        finally:
            server.stop(force=True)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
