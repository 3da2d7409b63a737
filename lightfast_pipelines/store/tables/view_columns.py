"""Builders of the columns that several of the analysts' views share, and of the views themselves.

A view's SQL is in `migrations/versions/views/NAME.sql`; its comments and the values of its columns are
stated here and in `views*.py`, once, for the database and the data dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Table, Text
from sqlalchemy.types import TypeEngine

from lightfast_pipelines.store.tables.columns import KEY, column, view_metadata

VALUES = "values"
"""Key of `Column.info`: the values that the column may have, or the name of a list of them (`cli/values.py`)."""


def view(name: str, comment: str, *columns: Column[Any]) -> Table:
    """A view that begins with its workspace."""
    workspace = (
        column("workspace", Text, "Slug of the workspace."),
        column("workspace_id", BigInteger, "Its id: `workspace_named('acme')`."),
    )
    return Table(name, view_metadata, *workspace, *columns, comment=comment)


def maybe(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str, **options: Any
) -> Column[Any]:
    """A column that may be null."""
    return column(name, kind, comment, nullable=True, **options)


def of_values(
    name: str, comment: str, values: Sequence[str] | str, *, nullable: bool = False
) -> Column[Any]:
    """A column of text with a fixed vocabulary."""
    return column(name, Text, comment, nullable=nullable, info={VALUES: values})


def key(comment: str, name: str = "key") -> Column[Any]:
    return column(name, KEY, comment)


def maybe_key(name: str, comment: str) -> Column[Any]:
    return column(name, KEY, comment, nullable=True)


def person(name: str, comment: str) -> tuple[Column[Any], Column[Any]]:
    """The name of a person or bot, and the id of the actor."""
    return (
        maybe(name, Text, f"{comment} Null until it is decided who they are."),
        maybe(f"{name}_id", Text, f"The same as an actor (people.person_id) of column {name}."),
    )
