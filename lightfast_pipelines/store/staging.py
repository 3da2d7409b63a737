"""Copies rows into tables: into the target itself, or into a temporary table for a statement to read."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from lightfast_pipelines.store.database import Connection


def stage(
    conn: Connection, target: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> str:
    """Copies the rows into a temporary table and returns its name; a commit empties the table.

    It has the column types of `target`, a table of schema `lightfast`, without the constraints. Give
    JSON text for jsonb columns.
    """
    name = f"stage_{target}_{zlib.crc32(chr(31).join(columns).encode()):08x}"
    conn.execute(
        f"""
        CREATE TEMPORARY TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS
        AS SELECT {_quoted(columns)} FROM lightfast.{target} WITH NO DATA
        """
    )
    # It has rows only if this transaction staged some before. A TRUNCATE would write to the catalog.
    conn.execute(f"DELETE FROM {name}")
    copy_rows(conn, name, columns, rows)
    return name


def copy_rows(
    conn: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Copies the rows into the table, in the order of the columns."""
    with conn.cursor().copy(f"COPY {table} ({_quoted(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def array_of(values: Sequence[Any]) -> str | list[Any]:
    """The values as Postgres writes an array, for a parameter with a cast or a column of a copy.

    psycopg adapts a list value by value, which took a twentieth of the time of a capture. It is left the
    values of other types.
    """
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {bytes}:
        return "{" + ",".join(rf'"\\x{value.hex()}"' for value in values) + "}"
    if kinds <= _TEXTS:
        return (
            "{" + ",".join("NULL" if v is None else f'"{_escaped(str(v))}"' for v in values) + "}"
        )
    return list(values)


# What Postgres reads as Python writes it.
_TEXTS = {str, int, float, datetime, date, type(None)}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
