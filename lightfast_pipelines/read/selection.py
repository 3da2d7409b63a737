"""Builds a SELECT from the parts of a question, and refuses names that do not exist.

Names are quoted and checked, values are always parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import sql

from lightfast_pipelines.read.catalogue import Described, first_time
from lightfast_pipelines.read.errors import ReadError, unknown


@dataclass(frozen=True)
class Source:
    """What is read: a table, a view, or a subquery."""

    name: str
    sql: sql.Composable
    columns: Mapping[str, Described]

    def column(self, name: str) -> Described:
        """Raises ReadError, which names the columns that there are."""
        if name not in self.columns:
            raise unknown(f"column of {self.name}", name, self.columns)
        return self.columns[name]

    def time_column(self, name: str | None) -> str | None:
        """The column that `since` and `until` are about: the named one, else the first that is a time."""
        if name is None:
            return first_time(self.columns)
        if not self.column(name).is_time:
            times = [each for each, about in self.columns.items() if about.is_time]
            raise unknown(f"time in {self.name}", name, times)
        return name


@dataclass
class Selection:
    """A question about a source, to which conditions are added."""

    source: Source
    columns: Sequence[str]
    order: Sequence[str] = ()
    conditions: list[sql.Composable] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, condition: sql.Composable | str, *parameters: Any) -> None:
        """A condition in SQL, with a `%s` for each parameter."""
        self.conditions.append(sql.SQL(condition) if isinstance(condition, str) else condition)
        self.parameters += parameters

    def of_workspace(self, workspace_id: int) -> None:
        if "workspace_id" not in self.source.columns:
            raise ReadError(
                f"{self.source.name} is not kept by workspace: leave workspace out, or filter by where="
            )
        self.add("workspace_id = %s", workspace_id)

    def between(self, time: str | None, since: datetime | None, until: datetime | None) -> None:
        """From `since` on and before `until`, by a column that is a time or a day in UTC."""
        for sign, moment in ((">=", since), ("<", until)):
            if moment is None:
                continue
            if time is None:
                raise ReadError(
                    f"{self.source.name} has no column with a time: leave since and until out"
                )
            is_day = self.source.column(time).type_name == "date"
            condition = sql.SQL("{} {} %s").format(sql.Identifier(time), sql.SQL(sign))
            self.add(condition, moment.date() if is_day else moment)

    def equal(self, values: Mapping[str, Any]) -> None:
        """Each column has the value or one of the values, where None stands for none; a list has one of them
        among its own."""
        for name, value in values.items():
            column, about = sql.Identifier(name), self.source.column(name)
            if value is None:
                self.add(sql.SQL("{} IS NULL").format(column))
                continue
            several = list(value) if _is_several(value) else [value]
            stated = [each for each in several if each is not None]
            condition = "{} && %s" if about.is_list else "{} = ANY(%s)"
            if len(stated) < len(several):
                condition = f"({condition} OR {{}} IS NULL)"
            self.add(sql.SQL(condition).format(column, column), stated)

    def statement(self) -> sql.Composed:
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        parts = [sql.SQL("SELECT {} FROM {}").format(columns, self.source.sql)]
        if self.conditions:
            parts.append(sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(self.conditions)))
        if self.order:
            parts.append(
                sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(map(sql.Identifier, self.order)))
            )
        return sql.SQL(" ").join(parts)


def select(
    source: Source, columns: Iterable[str] | str | None, order: Iterable[str | None]
) -> Selection:
    """A question about these columns (all of them by default), in the order of those that exist."""
    names = [columns] if isinstance(columns, str) else list(columns or source.columns)
    for name in names:
        source.column(name)
    return Selection(
        source, names, [name for name in order if name is not None and name in source.columns]
    )


def _is_several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)
