"""What commands say: data on stdout (a table, or JSON with --json), everything else on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, TextIO

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

# Where no terminal shows a bar, a line every so many seconds is enough.
_SPARSE_SECONDS = 10.0


def say(text: str) -> None:
    """A line for the person at the terminal; never data."""
    typer.echo(text, err=True)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns where a person reads; tab-separated values where a program does."""
    listed = [["" if cell is None else _shown(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for cells in ([name.lower() for name in columns], *listed):
            typer.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells))
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
    return str(cell)


@contextmanager
def meter(title: str, *, total: int | None = None, unit: str = "") -> Iterator[Meter]:
    """A bar on stderr where that is a terminal, else a line now and then."""
    stream = sys.stderr
    found = _Bar(title, total, unit, stream) if stream.isatty() else _Lines(title, total, unit)
    try:
        yield found
    finally:
        found.close()


class Meter:
    """How far something long has got."""

    def advance(self, count: int) -> None:
        raise NotImplementedError

    def stage(self, title: str, total: int | None = None) -> None:
        """Starts counting anew, under another title."""
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

    def close(self) -> None:
        """Nothing to put away."""


def as_rows(found: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[list[object]]:
    return [[row.get(column) for column in columns] for row in found]
