"""What importing the code location costs over bare Dagster: `python -m bench.imports`.

It measures the CPU time of fresh interpreters in turn, so that a busy machine slows all alike. Every run
pays for these imports, and so does every tick in a process of its own. All of them find compiled bytecode,
as after an installation: the bytecode of the packages is there anyway, and a first round that is not
counted writes that of the checkout into a folder of this measurement.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from bench.report import Measurement, Report, add_json_option, finish

LOCATION = "lightfast_pipelines.definitions"
MINIMAL = "bench.minimal_location"
# The two packages that the location needs when it loads: the first partition is in the database.
NEEDED = "psycopg, pydantic_settings"
MODULES = ("dagster", MINIMAL, f"dagster, {NEEDED}", LOCATION, "webhook_receiver.__main__")
REACH = 0.6
_CODE = """
import {module}
import resource, sys
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, len(sys.modules))
"""


def measure(module: str, bytecode: str) -> tuple[float, float, int]:
    """(CPU seconds, peak memory in MiB, loaded modules) of a new interpreter that imports `module`."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    seconds, kibibytes, modules = done.stdout.split()
    return float(seconds), float(kibibytes) / 1024, int(modules)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    add_json_option(parser)
    options = parser.parse_args()
    measured: dict[str, list[tuple[float, float, int]]] = {module: [] for module in MODULES}
    with tempfile.TemporaryDirectory() as bytecode:
        for round_number in range(options.rounds + 1):
            for module in MODULES:
                cost = measure(module, bytecode)
                if round_number:
                    measured[module].append(cost)
    return finish(report_of(measured), options.json)


def report_of(measured: dict[str, list[tuple[float, float, int]]]) -> Report:
    report = Report("imports")

    def over(module: str, base: str) -> list[float]:
        """In each round, what `module` takes beyond `base`, in multiples of Dagster's own time."""
        return [
            (one[0] - other[0]) / dagster[0]
            for one, other, dagster in zip(
                measured[module], measured[base], measured["dagster"], strict=True
            )
        ]

    report.add(
        Measurement.of(
            "import of the code location over `import dagster`",
            over(LOCATION, "dagster"),
            reach=REACH,
            absolute=_shown(measured, LOCATION, "dagster"),
        ),
        Measurement.of(
            "import of the code location over a minimal location",
            over(LOCATION, MINIMAL),
            absolute=_shown(measured, LOCATION, MINIMAL),
        ),
        Measurement.of(
            f"of this, {NEEDED} alone",
            over(f"dagster, {NEEDED}", "dagster"),
            absolute=_shown(measured, f"dagster, {NEEDED}", "dagster"),
        ),
        Measurement.of(
            "import of the receiver",
            [run[0] for run in measured["webhook_receiver.__main__"]],
            unit="CPU s",
            absolute=_memory(measured["webhook_receiver.__main__"]),
        ),
    )
    return report


def _shown(measured: dict[str, list[tuple[float, float, int]]], module: str, base: str) -> str:
    seconds, before = (
        statistics.median(run[0] for run in measured[name]) for name in (module, base)
    )
    return f"{seconds:.2f} - {before:.2f} CPU s; {_memory(measured[module])}"


def _memory(runs: list[tuple[float, float, int]]) -> str:
    return f"{runs[0][2]} modules, {statistics.median(run[1] for run in runs):.0f} MiB"


if __name__ == "__main__":
    raise SystemExit(main())
