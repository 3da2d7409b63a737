"""Rows as lines that fit the terminal: one line a row, cut where the screen ends. Piped, they are whole."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

from lightfast_pipelines.cli.console import on_one_line, print_table, show

# Of the columns before the text, none takes more than this share of the width.
_WIDEST_SHARE = 0.25
_BETWEEN = "  "
_LABEL = 10


def moment_of(at: datetime) -> str:
    """A time in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def print_lines(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """The rows as aligned lines on a terminal, otherwise as tab-separated values."""
    if not sys.stdout.isatty():
        print_table(columns, rows)
        return
    cells = [["" if cell is None else on_one_line(cell) for cell in row] for row in rows]
    for line in fitted(cells, terminal_width()):
        show(line)


def print_field(label: str, text: str) -> None:
    """A label and its text, which continues below itself."""
    text = on_one_line(text)
    width = max(terminal_width() - _LABEL, 20) if sys.stdout.isatty() else 0
    lines = (
        textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        if width
        else [text]
    )
    for place, line in enumerate(lines):
        show(f"{label if place == 0 else '':<{_LABEL}}{line}")


def terminal_width() -> int:
    return shutil.get_terminal_size().columns


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The rows as aligned lines of at most `width` cells. The last column gets what the others leave."""
    if not rows:
        return []
    widest = max(int(width * _WIDEST_SHARE), 1)
    count = len(rows[0]) - 1
    widths = [min(max(_cells(row[place]) for row in rows), widest) for place in range(count)]
    lines = []
    for row in rows:
        parts = [_padded(row[place], widths[place]) for place in range(count) if widths[place]]
        lines.append(_cut(_BETWEEN.join([*parts, row[count]]).rstrip(), width))
    return lines


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    cut = _cut(text, width)
    return cut + " " * (width - _cells(cut))


def _cut(text: str, width: int) -> str:
    """The text, or its beginning with an ellipsis, in at most `width` cells."""
    from rich.cells import set_cell_size

    if _cells(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"
