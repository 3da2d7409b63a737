"""What commands print: data on stdout (a table, or JSON with --json), everything else on stderr.

The only place that writes to a terminal. Text from outside, such as a title or a branch, may contain
characters that a terminal obeys (clear the screen, set the clipboard) or that reverse text: they are
escaped.
"""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, TextIO

import typer

# How often a line reports progress if there is no terminal for a bar.
_SPARSE_SECONDS = 10.0

# Control characters, invisible ones that reverse or join text, halves of a surrogate pair, line separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# They only join the parts of an emoji and letters of some scripts.
_HARMLESS = frozenset("\u200c\u200d")


def printable(text: str, keep: str = "\n\t") -> str:
    """`text` with characters that a terminal would obey or hide escaped as in Python: `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter in keep or not _is_unseen(letter)
        else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )


def on_one_line(text: str) -> str:
    """`text` made printable, with spaces for line ends and tabs, so that it cannot look like a second row."""
    return printable(text.replace("\r\n", " ").translate(_SPACES))


_SPACES = str.maketrans("\r\n\t", "   ")


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) in _UNSEEN and letter not in _HARMLESS


def show(text: str = "") -> None:
    """Prints a line of data."""
    typer.echo(printable(text))


def say(text: str) -> None:
    """Prints a line for the person at the terminal; never data."""
    typer.echo(printable(text), err=True)


def print_json(value: object) -> None:
    """Prints the value as JSON, with characters that a terminal would obey escaped, so nothing is lost."""
    written = json.dumps(value, default=_plain, ensure_ascii=False, indent=2)
    if not written.isprintable():
        written = "".join(
            json.dumps(letter)[1:-1] if letter != "\n" and _is_unseen(letter) else letter
            for letter in written
        )
    typer.echo(written)


def print_result(as_json: bool, value: object, text: str) -> None:
    """Prints the value as JSON, or the text that says the same."""
    if as_json:
        print_json(value)
    else:
        show(text)


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns on a terminal, otherwise tab-separated values."""
    listed = [["" if cell is None else _shown(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for cells in ([name.lower() for name in columns], *listed):
            typer.echo("\t".join(cells))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for cells in listed:
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def _shown(cell: object) -> str:
    if isinstance(cell, datetime):
        return (
            cell.strftime("%Y-%m-%d %H:%M:%SZ")
            if cell.utcoffset() is not None
            else cell.isoformat()
        )
    return on_one_line(str(cell))


@contextmanager
def meter(title: str, *, total: int | None = None, unit: str = "") -> Iterator[Meter]:
    """A progress bar on stderr if that is a terminal, otherwise a line now and then."""
    stream = sys.stderr
    shown = _Bar(title, total, unit, stream) if stream.isatty() else _Lines(title, total, unit)
    try:
        yield shown
    finally:
        shown.close()


class Meter:
    """Shows the progress of long work."""

    def advance(self, count: int) -> None:
        raise NotImplementedError

    def stage(self, title: str, total: int | None = None) -> None:
        """Starts counting again, with another title."""
        raise NotImplementedError

    def waits(self, reason: str) -> None:
        """Says what the work is waiting for."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _Bar(Meter):
    def __init__(self, title: str, total: int | None, unit: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(title, total=total)

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def stage(self, title: str, total: int | None = None) -> None:
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total)

    def waits(self, reason: str) -> None:
        self._progress.console.print(on_one_line(reason), markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()


class _Lines(Meter):
    def __init__(
        self, title: str, total: int | None, unit: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._clock = clock
        self._done = 0
        self._said_at = clock()

    def advance(self, count: int) -> None:
        self._done += count
        if self._clock() - self._said_at >= _SPARSE_SECONDS:
            self._said_at = self._clock()
            of = f" of {self._total:,}" if self._total else ""
            say(f"{self._title}: {self._done:,}{of} {self._unit}".rstrip())

    def stage(self, title: str, total: int | None = None) -> None:
        self._title, self._total, self._done = title, total, 0

    def waits(self, reason: str) -> None:
        say(reason)

    def close(self) -> None:
        """Lines need no closing."""


def as_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[list[object]]:
    return [[row.get(column) for column in columns] for row in rows]
