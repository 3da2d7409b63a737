"""Draws figures as intervals, each against the intervals of its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.quality.figures import Figure

_OURS, _THEIRS, _BOUND = "#4f43dd", "#b8b8b8", "#c2410c"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """A row for each figure with a baseline or a floor (a tick); ours is drawn above its baselines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Picture
    from matplotlib.lines import Line2D

    rows: dict[str, list[Figure]] = {}
    for figure in figures:
        if figure.baseline is not None or figure.floor is not None:
            rows.setdefault(figure.title, []).append(figure)
    picture = Picture(figsize=(10, 1.2 + 0.28 * len(rows)), dpi=72, layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.subplots()
    for row, of_row in enumerate(rows.values()):
        baselines = [figure.baseline for figure in of_row if figure.baseline is not None]
        drawn = [(of_row[0].value, 0.14, _OURS)]
        drawn += [(theirs, -0.1 - 0.12 * n, _THEIRS) for n, theirs in enumerate(baselines)]
        for interval, offset, color in drawn:
            axes.plot([interval.low, interval.high], [offset - row] * 2, color=color, linewidth=2)
            axes.plot([interval.value], [offset - row], "o", color=color, markersize=4)
        if of_row[0].floor is not None:
            axes.plot([of_row[0].floor], [0.14 - row], "|", color=_BOUND, markersize=9)
    axes.set_yticks([-row for row in range(len(rows))], list(rows), fontsize=8)
    axes.set_ylim(-len(rows) + 0.3, 0.7)
    axes.grid(axis="x", linewidth=0.4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    shown = ((_OURS, "measured, 95 %"), (_THEIRS, "baselines, 95 %"), (_BOUND, "floor"))
    handles = [Line2D([], [], color=color, label=label) for color, label in shown]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    picture.savefig(path)
