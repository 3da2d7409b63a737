"""Whether the pipeline slows down as history grows: `python -m bench.growth [--sizes N...]`.

Histories of several sizes are grown (`bench/grown.py`), and into the large workspace of each the same new
deliveries come: what a recorded history has after those that the grown one was made of, for one of its
repositories, by people of whom some are known. The figure is the rate at the largest size over that at the
smallest, for what a run does at once and by stage. The sizes take turns, so that a busy minute does not hit
one alone. The scheduled stages decide a whole workspace or organisation again, which a million observations
would make long: `--scheduled-up-to` says up to which size they are measured.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.capture import run_in_child
from bench.corpus import CORPUS, deliveries
from bench.grown import SEED_DELIVERIES, arrive, grow_home
from bench.grown_tables import ALL_VIEWS, Grown
from bench.report import Curve, Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, Lease
from lightfast_pipelines.store.database import Database

LEAST_RATE = 0.8
WARM_UP = 200
# What a run of the job `memory` does as soon as deliveries wait; the other stages have schedules of their
# own, and decide the whole of a workspace or an organisation again.
AT_ONCE = ("capture", "embeddings", "clusters")
RUN = "capture to clusters"


@dataclass(slots=True)
class Size:
    """A grown history, with what each round of new deliveries took by stage: seconds, and CPU seconds."""

    wanted: int
    grown: Grown
    lease: Lease
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seconds: dict[str, float], cpu: dict[str, float]) -> None:
        for spent, by_stage in ((self.seconds, seconds), (self.cpu, cpu)):
            at_once = sum(by_stage.get(stage, 0.0) for stage in AT_ONCE)
            for stage, value in ({RUN: at_once} | by_stage).items():
                spent.setdefault(stage, []).append(value)


def process_new(size: Size, first: int, count: int, options: argparse.Namespace) -> dict[str, Any]:
    """The next deliveries for a repository of the large workspace are ingested and processed."""
    first += options.seed_deliveries
    database = Database(lease=size.lease)
    new = itertools.islice(deliveries(options.file), first, first + count)
    arrive(database, size.grown, new)
    step = "process" if size.wanted <= options.scheduled_up_to else "run"
    done = run_in_child(database.url("migrator"), step, options.file)
    spent = sum(done["stages"].values())
    print(
        f"{size.wanted:,}: {done['deliveries']:,} deliveries in {spent:.1f} s",
        file=sys.stderr,
        flush=True,
    )
    return done


def report_of(sizes: list[Size], count: int) -> Report:
    report = Report("growth")
    for stage in sizes[0].seconds:
        measured = [size for size in sizes if stage in size.seconds]
        small, large = measured[0], measured[-1]
        if small is large:
            continue
        if max(statistics.median(size.seconds[stage]) for size in (small, large)) < 0.05:
            continue
        for what, least in (("seconds", LEAST_RATE if stage == RUN else None), ("cpu", None)):
            taken = [getattr(size, what)[stage] for size in measured]
            report.add(
                Measurement.of(
                    f"{stage}: rate at {large.wanted:,} / at {small.wanted:,}"
                    + (", of CPU seconds" if what == "cpu" else ""),
                    [a / max(b, 1e-9) for a, b in zip(taken[0], taken[-1], strict=True)],
                    reach=least,
                    at_least=True,
                    absolute=", ".join(f"{statistics.median(spent):.2f}" for spent in taken) + " s",
                )
            )
        points = [
            (size.grown.observations, count / max(statistics.median(size.seconds[stage]), 1e-9))
            for size in measured
        ]
        report.curves.append(
            Curve("growth", stage, points, x="observations before", y="deliveries a second")
        )
    report.notes.append(
        f"{os.cpu_count()} processors; {count:,} new deliveries a round; histories of "
        + ", ".join(f"{size.grown.observations:,}" for size in sizes)
        + " observations, about half of them in the workspace that the deliveries come to"
    )
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--deliveries", type=int, default=3_000, help="new ones, in all rounds")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--scheduled-up-to",
        type=int,
        default=100_000,
        metavar="N",
        help="also run the stages with schedules of their own on histories of at most this size",
    )
    parser.add_argument("--file", type=Path, default=CORPUS / "ipython.jsonl.gz")
    parser.add_argument("--seed-deliveries", type=int, default=SEED_DELIVERIES)
    parser.add_argument("--views", nargs="+", choices=ALL_VIEWS, default=list(ALL_VIEWS))
    add_json_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder, ExitStack() as servers:
        sizes = []
        for wanted in sorted(options.sizes):
            home = Path(folder) / str(wanted)
            grown = grow_home(
                home,
                wanted,
                file=options.file,
                seed_deliveries=options.seed_deliveries,
                views=options.views,
            )
            print(f"grown to {grown.observations:,} observations", file=sys.stderr, flush=True)
            server = EmbeddedPostgres(home, idle_seconds=5)
            sizes.append(Size(wanted, grown, servers.enter_context(server.acquire())))
        # The first time, the scheduled stages also do what the rows of a grown history leave to them.
        for size in sizes:
            process_new(size, 0, WARM_UP, options)
        each = options.deliveries // options.rounds
        for number in range(options.rounds):
            for size in sizes:
                done = process_new(size, WARM_UP + number * each, each, options)
                size.add(done["stages"], done["cpu_by_stage"])
    return finish(report_of(sizes, each), options.json)


if __name__ == "__main__":
    sys.exit(main())
