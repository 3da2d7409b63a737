"""How a benchmark reports: measurements with what they are to reach, as a table, JSON and pictures.

Each benchmark makes a `Report`, prints it, and writes it where `--json FILE` says. `bench/run.py` puts the
reports of all of them together. What is measured stands in the benchmarks.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_HEADINGS = ("what", "value", "spread", "reach", "", "absolute")


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number, usually a ratio to a limit of the same machine in the same run.

    `low` and `high` are the spread over the rounds. `reach` is the largest value wanted, or the smallest
    with `at_least`. `absolute` shows the figures behind a ratio, and `reason` what stands in the way
    where the number is not reached.
    """

    name: str
    value: float
    unit: str = ""
    reach: float | None = None
    at_least: bool = False
    low: float | None = None
    high: float | None = None
    absolute: str = ""
    reason: str = ""

    @classmethod
    def of(cls, name: str, values: Sequence[float], **more: Any) -> Measurement:
        """The median of several rounds, with the least and the greatest as their spread."""
        return cls(name, statistics.median(values), low=min(values), high=max(values), **more)

    @property
    def is_reached(self) -> bool | None:
        """None where nothing is to be reached."""
        if self.reach is None:
            return None
        return self.value >= self.reach if self.at_least else self.value <= self.reach

    @property
    def verdict(self) -> str:
        return {None: "", True: "ok", False: "missed"}[self.is_reached]


@dataclass(frozen=True, slots=True)
class Curve:
    """How something grows: points (x, y), drawn with the other curves of the same `picture`."""

    picture: str
    name: str
    points: Sequence[tuple[float, float]]
    x: str
    y: str


@dataclass(slots=True)
class Report:
    benchmark: str
    measurements: list[Measurement] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Profiles and other text that explains the numbers."""

    def add(self, *measurements: Measurement) -> None:
        self.measurements += measurements

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Report:
        stored = json.loads(path.read_text())
        return cls(
            stored["benchmark"],
            [Measurement(**measurement) for measurement in stored["measurements"]],
            [Curve(**curve) for curve in stored["curves"]],
            stored["notes"],
        )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report there")


def finish(report: Report, json_file: Path | None) -> int:
    """Prints the table and the notes and writes the file. Returns 0, also where a number is missed."""
    print("\n".join(table(report.measurements)))
    for note in report.notes:
        print(f"\n{note}")
    if json_file is not None:
        report.write(json_file)
    return 0


def table(measurements: Iterable[Measurement]) -> list[str]:
    """One line of text for each measurement, under a heading; its reason follows where it is missed."""
    rows, reasons = [_HEADINGS], [""]
    for measured in measurements:
        spread = "" if measured.low is None else f"{measured.low:.3g}-{measured.high:.3g}"
        bound = "" if measured.reach is None else f"{'>=' if measured.at_least else '<='}"
        rows.append(
            (
                *(measured.name, f"{measured.value:.3g} {measured.unit}".rstrip(), spread),
                "" if measured.reach is None else f"{bound} {measured.reach:g}",
                *(measured.verdict, measured.absolute),
            )
        )
        reasons.append(measured.reason if measured.is_reached is False else "")
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row, reason in zip(rows, reasons, strict=True):
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
        if reason:
            lines.append(f"    {reason}")
    return lines
