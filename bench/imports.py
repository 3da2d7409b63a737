"""What importing the code location costs over bare Dagster: `python -m bench.imports`.

It measures the CPU time of fresh interpreters in turn, so that a busy machine slows all alike. Every run
pays for these imports, and so does every sensor tick in its own process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from bench.report import Measurement, Report, add_json_option, finish

MODULES = ("dagster", "lightfast_pipelines.definitions", "webhook_receiver.__main__")
_CODE = """
import resource, {module}
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def measure(module: str) -> tuple[float, float]:
    """(CPU seconds, peak memory in MiB) of a new interpreter that imports `module`."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, kibibytes = done.stdout.split()
    return float(seconds), float(kibibytes) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    add_json_option(parser)
    options = parser.parse_args()
    measured: dict[str, list[tuple[float, float]]] = {module: [] for module in MODULES}
    for _ in range(options.rounds):
        for module in MODULES:
            measured[module].append(measure(module))
    dagster, ours, _ = ([seconds for seconds, _ in runs] for runs in measured.values())
    report = Report("imports")
    report.add(
        Measurement.of(
            "code location beyond Dagster / Dagster",
            [(mine - bare) / bare for mine, bare in zip(ours, dagster, strict=True)],
            reach=0.6,
            absolute=f"{statistics.median(ours):.2f} CPU s, Dagster {statistics.median(dagster):.2f}",
        )
    )
    for module, runs in measured.items():
        mib = f"{statistics.median(peak for _, peak in runs):.0f} MiB"
        report.add(Measurement.of(module, [seconds for seconds, _ in runs], unit="s", absolute=mib))
    return finish(report, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
