"""Compares the receiver's speed with a bare route's: `python -m bench.receiver`.

Both answer after the commit and take turns on one Postgres of this run's own. Quote the ratio, as all
else depends on the machine; on a shared machine, quote the ratio of CPU times. Also checks that no
answered delivery is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.receiver_wrk import wrk
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Database

SECRET = "bench-secret"  # noqa: S105 - signs nothing but this run's own load
ROW = "{:<10} {:>10} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>9}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: list[str],
    port: int,
    log: Path,
    environment: Mapping[str, str],
    preexec: Callable[[], None] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends; the block begins when it accepts connections."""
    with log.open("ab") as stream:
        server = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **environment},
            stderr=stream,
            preexec_fn=preexec,  # noqa: PLW1509 - one thread only here
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        server.terminate()
        server.wait(30)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def load(path: str, port: int, options: argparse.Namespace) -> dict[str, Any]:
    if options.wrk:
        return wrk(path, port, SECRET, options.connections, options.seconds, options.body_bytes)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench.receiver_load", "--path", path, "--port", str(port)),
            *("--secret", SECRET, "--connections", str(options.connections)),
            *("--seconds", str(options.seconds), "--body-bytes", str(options.body_bytes)),
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def stored(conn: psycopg.Connection[Any], table: str, run: str) -> int:
    count_row = conn.execute(
        f"SELECT count(*) FROM {table} WHERE starts_with(delivery_id, %s)",  # noqa: S608
        (run,),
    ).fetchone()
    conn.commit()
    assert count_row is not None
    return int(count_row[0])


def measure(home: Path, database: Database, options: argparse.Namespace) -> bool:
    """Prints the table; returns whether everything was stored and answered."""
    results: dict[str, list[dict[str, Any]]] = {"receiver": [], "bare route": []}
    fine = True
    print(
        ROW.format(
            "", "per second", "p50 ms", "p99 ms", "answers", "rows", "not 200", "lost", "CPU us"
        )
    )
    with database.connect("migrator") as conn:
        for _ in range(options.rounds):
            for name, so_far in results.items():
                port = free_port()
                if name == "receiver":
                    command, path, table = (
                        ["-m", "webhook_receiver"],
                        "/webhooks/github",
                        "lightfast.raw_payloads",
                    )
                else:
                    dsn = database.url("migrator")
                    command = ["-m", "bench.receiver_bare", dsn, SECRET, str(port)]
                    path, table = "/", "bench_bare"
                with process(
                    command,
                    port,
                    home / "log",
                    {
                        "LIGHTFAST_HOME": str(home),
                        "LIGHTFAST_RECEIVER_PORT": str(port),
                        "GITHUB_WEBHOOK_SECRET": SECRET,
                    },
                ) as server:
                    idle = cpu_seconds(server.pid)
                    result = load(path, port, options)
                    used = cpu_seconds(server.pid) - idle
                result["cpu_us"] = used / max(result["accepted"], 1) * 1e6
                rows = stored(conn, table, result["run"])
                refused = sum(n for status, n in result["statuses"].items() if status != "200")
                fine &= (
                    rows >= result["accepted"] and not refused and not result["lost_connections"]
                )
                so_far.append(result)
                print(
                    ROW.format(
                        name,
                        f"{result['per_second']:,.0f}",
                        f"{result['p50_ms']:.1f}",
                        f"{result['p99_ms']:.1f}",
                        result["accepted"],
                        rows,
                        refused,
                        result["lost_connections"],
                        f"{result['cpu_us']:.0f}",
                    ),
                    flush=True,
                )
    cpu = {n: statistics.median(r["cpu_us"] for r in rounds) for n, rounds in results.items()}
    rate = {n: statistics.median(r["per_second"] for r in rounds) for n, rounds in results.items()}
    print(
        f"median: receiver {rate['receiver']:,.0f}/s, bare route {rate['bare route']:,.0f}/s, "
        f"ratio {rate['receiver'] / rate['bare route']:.2f}, "
        f"by CPU a delivery {cpu['bare route'] / cpu['receiver']:.2f} "
        f"({options.body_bytes} bytes, {options.connections} connections, {os.cpu_count()} cores)"
    )
    return fine


def crash(home: Path, database: Database, options: argparse.Namespace) -> bool:
    """Kills the receiver with -9 under load; returns whether every answered delivery is stored."""
    port, answered = free_port(), home / "answered"
    environment = {
        "LIGHTFAST_HOME": str(home),
        "LIGHTFAST_RECEIVER_PORT": str(port),
        "GITHUB_WEBHOOK_SECRET": SECRET,
    }
    with process(["-m", "webhook_receiver"], port, home / "log", environment) as server:
        client = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.receiver_load", "--port", str(port)),
                *("--secret", SECRET, "--connections", str(options.connections)),
                *("--seconds", str(options.seconds * 2), "--answered", str(answered)),
            ],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(options.seconds)
        server.kill()
        client.wait(60)
    ids = answered.read_text().split()
    with database.connect("migrator") as conn:
        missing = conn.execute(
            """
            SELECT count(*) FROM unnest(%s::text[]) AS a (id)
            WHERE NOT EXISTS (
              SELECT FROM lightfast.raw_payloads p
              JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id
              JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
              WHERE p.delivery_id = a.id
            )
            """,
            (ids,),
        ).fetchone()
    assert missing is not None
    print(f"killed with -9 under load: {len(ids)} answered, {missing[0]} of them missing")
    return bool(ids) and missing[0] == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--body-bytes", type=int, default=10_240)
    parser.add_argument(
        "--wrk",
        action=argparse.BooleanOptionalAction,
        default=shutil.which("wrk") is not None,
        help="load by wrk (default where it is installed), else by a process of our own",
    )
    options = parser.parse_args()
    os.environ.pop("LIGHTFAST_DATABASE_URL", None)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = EmbeddedPostgres(home, idle_seconds=5)
        try:
            with Database(lease=server.acquire()) as database:
                database.migrate()
                fine = measure(home, database, options) and crash(home, database, options)
        finally:
            server.stop(force=True)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
