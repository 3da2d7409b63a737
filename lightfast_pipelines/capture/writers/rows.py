"""Finds and writes the rows that differ between what a table holds and what is stated now.

Only those are written: a repeated payload changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import array_of, copy_rows

RowKey = TypeVar("RowKey", bound=tuple[Any, ...])
Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(frozen=True, slots=True)
class Differences(Generic[RowKey, Row]):
    """Rows to remove and rows to add, by their keys; a changed row is in both."""

    removed: Mapping[RowKey, Row]
    added: Mapping[RowKey, Row]


def differences(
    old: Mapping[RowKey, Row], new: Mapping[RowKey, Row], moved: Set[int] = frozenset()
) -> Differences[RowKey, Row]:
    """Compares rows whose keys begin with the observation's id.

    The rows of `moved` observations count as changed: what follows from a row also depends on the time of
    its observation.
    """
    removed = {key: row for key, row in old.items() if new.get(key) != row or key[0] in moved}
    added = {key: row for key, row in new.items() if old.get(key) != row or key[0] in moved}
    return Differences(removed, added)


def columns_of(rows: Iterable[Sequence[Any]]) -> list[str | list[Any]]:
    """The rows as one array per column, for `unnest` with a cast; there must be at least one row."""
    return [array_of(column) for column in zip(*rows, strict=True)]


def delete_rows(
    conn: Connection, table: str, key_columns: Mapping[str, str], keys: Collection[tuple[Any, ...]]
) -> None:
    """Deletes the rows with these keys; `key_columns` has each column's type in Postgres."""
    if not keys:
        return
    arrays = ", ".join(f"%s::{kind}[]" for kind in key_columns.values())
    conn.execute(
        f"""
        DELETE FROM lightfast.{table} t
        USING unnest({arrays}) AS k ({", ".join(key_columns)})
        WHERE {" AND ".join(f"t.{name} = k.{name}" for name in key_columns)}
        """,
        columns_of(keys),
    )


def next_ids(conn: Connection, table: str, number: int) -> list[int]:
    """Reserves serial numbers of the table, for rows that are inserted with their references."""
    if not number:
        return []
    rows = conn.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        (f"lightfast.{table}", number),
    )
    return [row[0] for row in rows]


def insert_rows(
    conn: Connection, table: str, columns: Sequence[str], rows: Collection[Sequence[Any]]
) -> None:
    """Copies these rows into the table, in the order of the columns; give JSON text for jsonb columns."""
    if rows:
        copy_rows(conn, f"lightfast.{table}", columns, rows)


def write_differences(
    conn: Connection,
    table: str,
    key_columns: Mapping[str, str],
    columns: Sequence[str],
    changed: Differences[RowKey, Row],
) -> None:
    """Removes and adds these rows of the table; `key_columns` as for `delete_rows`, `columns` are the others."""
    delete_rows(conn, table, key_columns, changed.removed)
    rows = [key + row for key, row in changed.added.items()]
    insert_rows(conn, table, (*key_columns, *columns), rows)
