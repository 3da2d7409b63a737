"""The tables and views that an analyst may read, as the database describes them.

Descriptions are the comments of the database, so a new view needs no code here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lightfast_pipelines.read.column_types import OBJECT, dtype_of
from lightfast_pipelines.read.errors import unknown
from lightfast_pipelines.read.values import declared_values

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection

CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Described:
    """A column: Postgres' type, the type in a data frame, and what it means."""

    name: str
    number: int
    type_name: str
    type_oid: int
    description: str
    values: Sequence[str] | None
    """The values that it may have, in their order; None where they are not listed."""

    @property
    def dtype(self) -> str:
        return CATEGORY if self.values is not None else dtype_of(self.type_oid)

    @property
    def is_time(self) -> bool:
        return self.dtype.startswith("datetime64")

    @property
    def is_list(self) -> bool:
        return self.dtype == OBJECT and self.type_name.endswith("[]")


def first_time(columns: Mapping[str, Described]) -> str | None:
    """The name of the first column that is a time."""
    return next((each.name for each in columns.values() if each.is_time), None)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view."""

    oid: int
    name: str
    is_view: bool
    description: str
    columns: Mapping[str, Described] = field(repr=False)

    @property
    def time_column(self) -> str | None:
        """The first one that is a time: in a view what the row is about, and in a table when it began."""
        return first_time(self.columns)


class Catalogue:
    """All of them, by name and by the numbers that the server gives with an answer."""

    def __init__(self, relations: Sequence[Relation]) -> None:
        self._relations = {each.name: each for each in relations}
        self._values = {
            (each.oid, column.number): column.values
            for each in relations
            for column in each.columns.values()
            if column.values is not None
        }

    def __iter__(self) -> Iterator[Relation]:
        return iter(self._relations.values())

    def __contains__(self, name: str) -> bool:
        return name in self._relations

    def relation(self, name: str) -> Relation:
        """Raises ReadError, which names the tables that there are."""
        if name not in self._relations:
            raise unknown("table or view", name, self._relations)
        return self._relations[name]

    def values_of(self, table_oid: int, column_number: int) -> Sequence[str] | None:
        """The values that a column of an answer may have, from the table's column that it is."""
        return self._values.get((table_oid, column_number))


def read_catalogue(conn: Connection) -> Catalogue:
    """What the session's role may select, without partitions and internal tables."""
    rows = conn.execute(
        """
        SELECT c.oid, c.relname, c.relkind = 'v', coalesce(obj_description(c.oid, 'pg_class'), ''),
               a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.atttypid,
               coalesce(col_description(c.oid, a.attnum), '')
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'lightfast'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND NOT c.relispartition AND c.relname <> 'schema_version'
          AND has_column_privilege(c.oid, a.attnum, 'SELECT')
        ORDER BY c.relname, a.attnum
        """
    ).fetchall()
    relations: dict[str, Relation] = {}
    columns: dict[str, dict[str, Described]] = {}
    for oid, table, is_view, about, name, number, type_name, type_oid, description in rows:
        if table not in relations:
            columns[table] = {}
            relations[table] = Relation(oid, table, is_view, about, columns[table])
        values = declared_values(table, name)
        columns[table][name] = Described(name, number, type_name, type_oid, description, values)
    return Catalogue(list(relations.values()))
