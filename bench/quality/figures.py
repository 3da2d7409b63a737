"""One measured number of the memory's quality, with what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.quality.intervals import Interval

_HEADINGS = (
    *("subject", "data", "figure", "value [95 %]", "baseline [95 %]"),
    *("difference", "floor", "reach", "", "note"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """`floor` is the least value that is acceptable, `reach` the one to be reached.

    `subject` is what is measured (`people`), `data` on what (`git`), `name` which figure (`precision`).
    `gain` is how much the value is above the baseline, if that has an interval of its own.
    """

    subject: str
    data: str
    name: str
    value: Interval
    baseline_name: str | None = None
    baseline: Interval | None = None
    floor: float | None = None
    reach: float | None = None
    note: str = ""
    gain: Interval | None = None

    @property
    def title(self) -> str:
        return f"{self.subject}, {self.data}: {self.name}"

    @property
    def is_below_floor(self) -> bool:
        return self.floor is not None and self.value.value < self.floor

    @property
    def difference(self) -> str:
        """How much it is above its baseline; with an interval if both were measured on the same draws."""
        if self.gain is not None:
            return f"{self.gain.value:+.3f} [{self.gain.low:+.3f}, {self.gain.high:+.3f}]"
        return f"{self.value.value - self.baseline.value:+.3f}" if self.baseline else ""

    @property
    def verdict(self) -> str:
        """`below` its floor, `short` of what is to be reached, or `ok`; empty without such bounds."""
        if self.is_below_floor:
            return "below"
        if self.reach is not None and self.value.value < self.reach:
            return "short"
        return "" if self.floor is None and self.reach is None else "ok"


def lines(figures: Iterable[Figure]) -> list[str]:
    """One line of text for each figure, under a heading."""
    rows = [_HEADINGS]
    for figure in figures:
        baseline = f"{figure.baseline_name} {figure.baseline}" if figure.baseline else ""
        floor, reach = ("" if b is None else f"{b:g}" for b in (figure.floor, figure.reach))
        rows.append(
            (
                *(figure.subject, figure.data, figure.name, str(figure.value), baseline),
                *(figure.difference, floor, reach, figure.verdict, figure.note),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
