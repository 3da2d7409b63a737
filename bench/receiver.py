"""Compares the receiver's speed with a bare route's: `python -m bench.receiver`.

Both answer after the commit and take turns on one Postgres of this run's own, with the same bodies,
connections and workers. First a closed loop: each connection sends as fast as it is answered. Then an
open loop at 0.4 of the rate that the bare route had (2,000 a second at most), with deliveries of all
providers, some of them twice; latency counts from the intended moment of sending. Every delivery that
was answered with 200 is looked up in the table afterwards. Quote the ratios: all else depends on the
machine, and on a shared machine only those of CPU times are steady.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.receiver_bare import TABLE
from bench.receiver_loads import closed_loop, crash, generator_limit, lost, open_loop, stored_twice
from bench.receiver_servers import BARE, RECEIVER, running
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Database

NAMES = (RECEIVER, BARE)
OPEN_RATE, OPEN_SHARE = 2000.0, 0.4
LINE = "{:<10} {:<7} {:>7} {:>5} {:>3} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What is sent, and to how many processes."""

    body_bytes: int = 10_240
    connections: int = 64
    workers: int = 1

    def __str__(self) -> str:
        processes = "" if self.workers == 1 else f", {self.workers} workers"
        plural = "s" if self.connections > 1 else ""
        return f"{self.body_bytes // 1024} KB, {self.connections} connection{plural}{processes}"


USUAL = Shape()


@dataclass(slots=True)
class Results:
    """The rounds of one shape, by what was measured."""

    closed: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {n: [] for n in NAMES})
    open: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {n: [] for n in NAMES})
    rate: float = 0.0
    lost: int = 0
    stored_twice: int = 0
    failed: int = 0


class Bench:
    """One run: its database, its options, and the table it prints as it goes."""

    def __init__(self, home: Path, database: Database, options: argparse.Namespace) -> None:
        self.home, self.database, self.options = home, database, options

    def measure(self, shape: Shape) -> Results:
        results = Results()
        with self.database.connect("migrator") as conn:
            conn.execute(TABLE)
            for _ in range(self.options.rounds):
                for name in NAMES:
                    results.closed[name].append(self._closed(conn, name, shape))
            most = statistics.median(r["per_second"] for r in results.closed[BARE])
            results.rate = min(OPEN_RATE, OPEN_SHARE * most)
            for _ in range(self.options.rounds):
                for name in NAMES:
                    results.open[name].append(self._open(conn, name, shape, results))
        return results

    def _closed(self, conn: psycopg.Connection[Any], name: str, shape: Shape) -> dict[str, Any]:
        with running(name, self.home, self.database, conn, shape.workers) as server:
            before = server.cpu_seconds()
            result = closed_loop(server.port, shape, self.options)
            after = server.cpu_seconds()
        accepted = max(result["accepted"], 1)
        result["cpu_us"], result["sql_us"] = (
            (end - start) / accepted * 1e6 for start, end in zip(before, after, strict=True)
        )
        if name == RECEIVER:
            rows = conn.execute("SELECT count(*) FROM lightfast.raw_payloads").fetchone()
            assert rows is not None
            result["failed"] += max(result["accepted"] - rows[0], 0)
        self._print(name, "closed", shape, result, result["failed"])
        self._empty(conn)
        return result

    def _open(
        self, conn: psycopg.Connection[Any], name: str, shape: Shape, results: Results
    ) -> dict[str, Any]:
        answered = self.home / "answered"
        with running(name, self.home, self.database, conn, shape.workers) as server:
            result = open_loop(server.port, shape, results.rate, self.options, answered)
        if name == RECEIVER:
            missing = lost(conn, answered)
            results.lost += missing
            results.stored_twice += stored_twice(conn)
            results.failed += result["failed"]
        self._print(name, "open", shape, result, result["failed"])
        self._empty(conn)
        return result

    def _print(
        self, name: str, loop: str, shape: Shape, result: dict[str, Any], failed: int
    ) -> None:
        print(
            LINE.format(
                *(name, loop, shape.body_bytes, shape.connections, shape.workers),
                f"{result['per_second']:,.0f}",
                *(f"{result[key]:.1f}" if key in result else "" for key in ("p50_ms", "p99_ms")),
                f"{result['p999_ms']:.1f}" if "p999_ms" in result else "",
                f"{result['cpu_us']:.0f}" if "cpu_us" in result else "",
                failed,
            ),
            flush=True,
        )

    def _empty(self, conn: psycopg.Connection[Any]) -> None:
        """Bodies of one measurement fill gigabytes, and each begins with the same tables."""
        conn.execute("TRUNCATE lightfast.raw_payloads CASCADE")
        conn.execute("TRUNCATE bench_bare")
        conn.commit()


def measurements(shape: Shape, results: Results) -> list[Measurement]:
    """The numbers of one shape; those with something to reach are said in the documentation."""
    closed, opened = results.closed, results.open
    is_usual = shape == USUAL

    def ratios(over: str, under: str, key: str) -> list[float]:
        return [a[key] / b[key] for a, b in zip(closed[over], closed[under], strict=True)]

    def median(rounds: Sequence[dict[str, Any]], key: str) -> float:
        return float(statistics.median(r[key] for r in rounds))

    rates = f"{median(closed[RECEIVER], 'per_second'):,.0f}/s of {median(closed[BARE], 'per_second'):,.0f}/s"
    cpu = (
        f"{median(closed[RECEIVER], 'cpu_us'):.0f} us a delivery to {median(closed[BARE], 'cpu_us'):.0f}; "
        f"in Postgres {median(closed[RECEIVER], 'sql_us'):.0f} to {median(closed[BARE], 'sql_us'):.0f}"
    )
    p99 = f"{median(closed[RECEIVER], 'p99_ms'):.1f} ms to {median(closed[BARE], 'p99_ms'):.1f} ms"
    return [
        Measurement.of(
            f"receiver / bare route, {shape}",
            ratios(RECEIVER, BARE, "per_second"),
            reach=0.85 if is_usual else None,
            at_least=True,
            absolute=rates,
        ),
        Measurement.of(
            f"the same by CPU time, {shape}", ratios(BARE, RECEIVER, "cpu_us"), absolute=cpu
        ),
        Measurement.of(
            f"p99 / the bare route's, {shape}",
            ratios(RECEIVER, BARE, "p99_ms"),
            reach=2.0 if is_usual else None,
            absolute=p99,
        ),
        Measurement.of(
            f"open loop p99.9, {shape}",
            [r["p999_ms"] for r in opened[RECEIVER]],
            unit="ms",
            reach=250.0,
            absolute=f"at {results.rate:,.0f}/s; bare route {median(opened[BARE], 'p999_ms'):.1f} ms, "
            f"the generator itself was late by {median(opened[RECEIVER], 'own_lateness_p999_ms'):.1f} ms",
        ),
        Measurement(
            f"lost, refused or stored twice, {shape}",
            results.lost + results.failed + results.stored_twice,
            reach=0,
            absolute=f"{results.lost} lost, {results.failed} not answered with 200, "
            f"{results.stored_twice} stored twice",
        ),
    ]


def shapes(options: argparse.Namespace) -> list[Shape]:
    """The usual one, and each other size and number by itself."""
    wanted = [USUAL]
    wanted += [Shape(body_bytes=kilobytes * 1024) for kilobytes in options.kilobytes]
    wanted += [Shape(connections=number) for number in options.connections]
    wanted += [Shape(workers=number) for number in options.workers]
    wanted += [Shape(connections=256, workers=number) for number in options.workers if number > 1]
    return list(dict.fromkeys(wanted))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kilobytes", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 64, 256])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument(
        "--wrk",
        action=argparse.BooleanOptionalAction,
        default=shutil.which("wrk") is not None,
        help="closed loop by wrk (default where it is installed), else by a process of our own",
    )
    add_json_option(parser)
    options = parser.parse_args()
    os.environ.pop("LIGHTFAST_DATABASE_URL", None)
    report = Report("receiver")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = EmbeddedPostgres(home, idle_seconds=5)
        try:
            with Database(lease=server.acquire()) as database:
                database.migrate()
                bench = Bench(home, database, options)
                print(
                    LINE.format(
                        *("", "loop", "bytes", "conn", "w", "a second", "p50 ms", "p99 ms"),
                        *("p99.9 ms", "CPU us", "failed"),
                    )
                )
                for shape in shapes(options):
                    report.add(*measurements(shape, bench.measure(shape)))
                report.add(crash(home, database, options))
        finally:
            server.stop(force=True)
    report.add(generator_limit(options))
    return finish(report, options.json)


if __name__ == "__main__":
    sys.exit(main())
