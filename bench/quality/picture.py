"""Draws figures as intervals, each against the interval of its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.quality.figures import Figure

_OURS, _THEIRS, _BOUND = "#4f43dd", "#b8b8b8", "#c2410c"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """A row for each figure with a baseline or a floor, which is a tick; ours is above the baseline."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Picture
    from matplotlib.lines import Line2D

    figures = [f for f in figures if f.baseline is not None or f.floor is not None]
    picture = Picture(figsize=(10, 1.2 + 0.3 * len(figures)), dpi=80, layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.subplots()
    for row, figure in enumerate(figures):
        for interval, offset, color in (
            (figure.value, 0.12, _OURS),
            (figure.baseline, -0.18, _THEIRS),
        ):
            if interval is not None:
                axes.plot(
                    [interval.low, interval.high], [offset - row] * 2, color=color, linewidth=2
                )
                axes.plot([interval.value], [offset - row], "o", color=color, markersize=4)
        if figure.floor is not None:
            axes.plot([figure.floor], [0.12 - row], "|", color=_BOUND, markersize=10)
    labels = [f"{f.subject}, {f.data}: {f.name}" for f in figures]
    axes.set_yticks([-row for row in range(len(figures))], labels, fontsize=8)
    axes.set_ylim(-len(figures) + 0.4, 0.6)
    axes.grid(axis="x", linewidth=0.4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    shown = ((_OURS, "measured, 95 %"), (_THEIRS, "baseline, 95 %"), (_BOUND, "floor"))
    handles = [Line2D([], [], color=color, label=label) for color, label in shown]
    axes.legend(handles=handles, loc="upper left", fontsize=8, frameon=False)
    picture.savefig(path)
