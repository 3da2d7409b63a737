"""Pictures of the reports: every number against its target, and how things grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.report import Curve, Measurement, Report

_REACHED, _MISSED = "#15803d", "#c2410c"


def draw_targets(reports: Sequence[Report], path: Path) -> None:
    """A row for each number with a target: how many times better (right of 1) or worse it is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [
        (f"{report.benchmark}: {measured.name}", measured)
        for report in reports
        for measured in report.measurements
        if measured.reach
    ]
    picture = Figure(figsize=(10, 1.0 + 0.28 * len(rows)), dpi=72, layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.subplots()
    for row, (_, measured) in enumerate(rows):
        color = _REACHED if measured.is_reached else _MISSED
        axes.plot([1.0, _times_better(measured)], [-row, -row], color=color, linewidth=2)
        axes.plot([_times_better(measured)], [-row], "o", color=color, markersize=4)
    axes.axvline(1.0, color="#404040", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("times better than what is to be reached")
    axes.set_yticks([-row for row in range(len(rows))], [name for name, _ in rows], fontsize=8)
    axes.grid(axis="x", linewidth=0.4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    picture.savefig(path)


def _times_better(measured: Measurement) -> float:
    """Limited to the range from 1/100 to 100, so that a value of 0 can be drawn."""
    assert measured.reach is not None
    pair = (measured.value, measured.reach)
    better, worse = pair if measured.at_least else pair[::-1]
    return min(max(better / worse if worse else 100.0, 0.01), 100.0)


def draw_curves(curves: Iterable[Curve], folder: Path) -> list[Path]:
    """A file for each picture that the curves name; both axes are logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    by_picture: dict[str, list[Curve]] = {}
    for curve in curves:
        by_picture.setdefault(curve.picture, []).append(curve)
    paths = []
    for name, drawn in by_picture.items():
        picture = Figure(figsize=(8, 4.5), dpi=72, layout="constrained")
        FigureCanvasAgg(picture)
        axes = picture.subplots()
        for curve in drawn:
            axes.plot(*zip(*curve.points, strict=True), "o-", markersize=4, label=curve.name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(drawn[0].x)
        axes.set_ylabel(drawn[0].y)
        axes.grid(linewidth=0.4)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        paths.append(folder / f"{name}.png")
        picture.savefig(paths[-1])
    return paths
