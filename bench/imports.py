"""What importing the code location costs over bare Dagster: `python -m bench.imports`.

It measures the CPU time of fresh interpreters in turn, so that a busy machine slows all alike. Every run
pays for these imports, and so does every sensor tick in its own process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    measured: dict[str, list[tuple[float, float]]] = {module: [] for module in MODULES}
    for _ in range(rounds):
        for module in MODULES:
            measured[module].append(measure(module))
    print(f"{'module':<34} {'CPU s':>7} {'min':>6} {'max':>6} {'MiB':>6}")
    for module, runs in measured.items():
        seconds = [run[0] for run in runs]
        print(
            f"{module:<34} {statistics.median(seconds):>7.2f} {min(seconds):>6.2f}"
            f" {max(seconds):>6.2f} {statistics.median(run[1] for run in runs):>6.0f}"
        )


if __name__ == "__main__":
    main()
