"""The metadata, types, defaults and column builders that the table definitions share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="lightfast")

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
    *args: object,
    **options: object,
) -> Column[Any]:
    """A column with its comment; not null unless `nullable` is set."""
    options.setdefault("nullable", False)
    return Column(name, kind, *args, comment=comment, **options)  # type: ignore[arg-type]


def serial_id(
    comment: str = "Serial number; compare databases by the natural key.",
) -> Column[Any]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True, comment=comment)


def references(target: str, ondelete: str | None = "CASCADE") -> ForeignKey:
    return ForeignKey(f"lightfast.{target}", ondelete=ondelete)


def workspace_id(**options: object) -> Column[Any]:
    reference = references("workspaces.id")
    return column("workspace_id", BigInteger, "Workspace.", reference, **options)


def observation_id() -> Column[Any]:
    """The observation that a row belongs to; part of the primary key."""
    reference = references("observations.id")
    return column("observation_id", BigInteger, "The observation.", reference, primary_key=True)
