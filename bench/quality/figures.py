"""One measured number of the memory's quality, with what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.quality.intervals import Interval


@dataclass(frozen=True, slots=True)
class Figure:
    """`floor` is the least value that is acceptable, `reach` the one to be reached.

    `subject` is what is measured (`people`), `data` on what (`git`), `name` which figure (`precision`).
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


def lines(figures: Iterable[Figure]) -> list[str]:
    """One line of text for each figure, under a heading."""
    rows = [("subject", "data", "figure", "value [95 %]", "baseline", "floor", "reach", "note")]
    for figure in figures:
        baseline = f"{figure.baseline_name} {figure.baseline}" if figure.baseline else ""
        bounds = ["" if bound is None else f"{bound:g}" for bound in (figure.floor, figure.reach)]
        rows.append(
            (
                figure.subject,
                figure.data,
                figure.name,
                str(figure.value),
                baseline,
                bounds[0],
                bounds[1],
                figure.note,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
