"""The metadata, types, defaults and column builders that the table definitions share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="lightfast")
# Views whose columns are described like those of tables; the migration's SQL files create them.
view_metadata = MetaData(schema="lightfast")

TIME = DateTime(timezone=True)
# Keys and ids sort by code point everywhere, in Python as in any database.
KEY = Text(collation="C")
TEXTS = ARRAY(Text)

NOW = text("now()")
ZERO = text("0")
EMPTY_TEXTS = text("'{}'::text[]")
EMPTY_OBJECT = text("'{}'::jsonb")
EMPTY_LIST = text("'[]'::jsonb")


def column(
    name: str,
    kind: TypeEngine[Any] | type[TypeEngine[Any]],
    comment: str,
    *args: Any,
    **options: Any,
) -> Column[Any]:
    """A column with its comment; not null unless `nullable` is set."""
    options.setdefault("nullable", False)
    return Column(name, kind, *args, comment=comment, **options)


def serial_id(comment: str = "Serial number; compare databases by the natural key.") -> Column[Any]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True, comment=comment)


def reference(
    name: str, target: str, comment: str, *, ondelete: str | None = "CASCADE", **options: Any
) -> Column[Any]:
    """A column with the serial number of a row of another table."""
    key = ForeignKey(f"lightfast.{target}", ondelete=ondelete)
    return column(name, BigInteger, comment, key, **options)


def workspace_id(**options: Any) -> Column[Any]:
    return reference("workspace_id", "workspaces.id", "Workspace.", **options)


def observation_id() -> Column[Any]:
    """The observation that a row belongs to; part of the primary key."""
    return reference("observation_id", "observation_facts.id", "The observation.", primary_key=True)


def queued_observation() -> tuple[Column[Any], Column[Any]]:
    """The columns of a queue of observations for a stage.

    Without foreign keys: triggers write them from the observation itself, and checking four keys for each
    would cost more than the rows.
    """
    return (
        column(
            "observation_id",
            BigInteger,
            "The waiting observation.",
            primary_key=True,
            autoincrement=False,
        ),
        column("workspace_id", BigInteger, "Its workspace."),
    )
