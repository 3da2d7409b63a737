"""Runs the benchmarks of speed and cost one after the other: `python -m bench.run [NAME...] [--quick]`.

Each runs in a process of its own. Prints one table of all numbers with what they are to reach, and writes
`results.json` and pictures to the folder that `--to` names. Whole, it takes about an hour and needs 10 GB of
disk; `--quick` takes smaller sizes and shorter loads, whose numbers are rougher. Quality has its own
command, `make quality`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.pictures import draw_curves, draw_targets
from bench.report import Report, table


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of bench/ with the arguments of a quick run; a whole one is what it does without any."""

    name: str
    quick: Sequence[str] = ()


BENCHMARKS = (
    Benchmark("imports"),
    Benchmark("capture", quick=("--rounds", "1")),
    Benchmark("growth", quick=("--sizes", "10000", "60000", "--deliveries", "1500")),
    Benchmark("queries", quick=("--observations", "100000", "--rounds", "5")),
    Benchmark("retrieval_speed", quick=("--questions", "40")),
    Benchmark("idle", quick=("--minutes", "5")),
    Benchmark("sizes"),
    Benchmark("latency", quick=("--seconds", "60")),
    Benchmark(
        "receiver",
        quick=("--rounds", "1", "--seconds", "2", "--kilobytes", "--connections", "--workers", "2"),
    ),
    Benchmark("bloat", quick=("--deliveries", "2000")),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, shorter loads")
    parser.add_argument("--to", type=Path, default=Path("build/bench"), metavar="DIR")
    options = parser.parse_args()
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    if unknown := set(options.names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    options.to.mkdir(parents=True, exist_ok=True)
    reports, failed = [], []
    for benchmark in (known[name] for name in options.names or known):
        report = run(benchmark, quick=options.quick)
        if report is None:
            failed.append(benchmark.name)
        else:
            reports.append(report)
    _summarize(reports, options.to)
    if failed:
        print(f"\nended with an error: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(benchmark: Benchmark, *, quick: bool) -> Report | None:
    """Runs it with its output shown; None if it ended with an error."""
    arguments = benchmark.quick if quick else ()
    print(f"== {benchmark.name} {' '.join(arguments)}".rstrip(), flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        file = Path(folder) / "report.json"
        command = [sys.executable, "-m", f"bench.{benchmark.name}", "--json", str(file)]
        done = subprocess.run([*command, *arguments], check=False)
        print(f"({time.monotonic() - began:.0f} s)\n", flush=True)
        return None if done.returncode or not file.exists() else Report.read(file)


def _summarize(reports: Sequence[Report], folder: Path) -> None:
    for report in reports:
        print(f"\n{report.benchmark}")
        print("\n".join(f"  {line}" for line in table(report.measurements)))
    (folder / "results.json").write_text(
        json.dumps([asdict(report) for report in reports], indent=1) + "\n"
    )
    pictures = [folder / "targets.png"]
    draw_targets(reports, pictures[0])
    pictures += draw_curves([curve for report in reports for curve in report.curves], folder)
    print(f"\nwritten: {folder / 'results.json'}, {', '.join(map(str, pictures))}")


if __name__ == "__main__":
    raise SystemExit(main())
