"""Reads tables and views, and answers SQL of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, overload

from psycopg import sql

from lightfast_pipelines.read.analyst_connection import AnalystConnection, default_connection
from lightfast_pipelines.read.answering import answer, relation_named, window, workspace_id_of
from lightfast_pipelines.read.frames import Parameters
from lightfast_pipelines.read.moments import Moment
from lightfast_pipelines.read.selection import Source, select

if TYPE_CHECKING:
    import pandas as pd


@overload
def table(
    name: str,
    workspace: str | None = None,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    time: str | None = None,
    columns: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    chunks: None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame: ...


@overload
def table(
    name: str,
    workspace: str | None = None,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    time: str | None = None,
    columns: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    chunks: int,
    on: AnalystConnection | None = None,
) -> Iterator[pd.DataFrame]: ...


def table(  # noqa: PLR0913 - the parts of a question, by name
    name: str,
    workspace: str | None = None,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    time: str | None = None,
    columns: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    chunks: int | None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """The rows of a view or table: `table("deployments", "acme", since="30 days")`.

    `workspace` is a slug, or organisation/slug; without it, of all workspaces. From `since` on and before
    `until`, by the column `time` or else the first one that is a time; if it is read, it orders the rows.
    What `columns` leaves out is not computed.
    `where={"status": "merged", "repository": ["acme/shop", "acme/api"]}`: a column has this value, one of
    these, or none (None); a list has one of them among its own. Other conditions: `query`.
    """
    on = on or default_connection()
    relation = relation_named(on, name)
    source = Source(name, sql.Identifier("lightfast", name), relation.columns)
    at = source.time_column(time)
    names = None if columns is None else list(columns)
    # In some views a time costs a look-up for each row.
    is_read = bool(time or since or until) or names is None or at in names
    asked = select(source, names, (at if is_read else None, "key", "id"))
    if workspace is not None:
        asked.of_workspace(workspace_id_of(on, workspace))
    asked.between(at, *window(since, until))
    asked.equal(where or {})
    return answer(on, asked.statement(), asked.parameters, chunks)


@overload
def query(
    statement: str,
    parameters: Parameters = None,
    *,
    chunks: None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame: ...


@overload
def query(
    statement: str,
    parameters: Parameters = None,
    *,
    chunks: int,
    on: AnalystConnection | None = None,
) -> Iterator[pd.DataFrame]: ...


def query(
    statement: str,
    parameters: Parameters = None,
    *,
    chunks: int | None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """The answer to SQL of one's own: `query("SELECT * FROM changes WHERE key = %s", ["..."])`.

    Tables need no schema. `parameters` fill `%s` or, as a mapping, `%(name)s`; a `%` of the SQL itself is
    then written `%%`. With `chunks` the statement must be a SELECT.
    """
    return answer(on or default_connection(), statement, parameters, chunks)


def tables(*, on: AnalystConnection | None = None) -> pd.DataFrame:
    """The views and tables that `table` reads, and the column that its `since` is about."""
    import pandas as pd

    rows = [
        (each.name, "view" if each.is_view else "table", each.time_column, each.description)
        for each in (on or default_connection()).catalogue()
    ]
    names = ["table", "kind", "time", "description"]
    return pd.DataFrame(rows, columns=names).astype("str")


def columns(name: str, *, on: AnalystConnection | None = None) -> pd.DataFrame:
    """The columns of a view or table: types in Postgres and pandas, meanings, and values if they are listed."""
    import pandas as pd

    described = relation_named(on or default_connection(), name).columns.values()
    rows = [(each.name, each.type_name, each.dtype, each.description) for each in described]
    frame = pd.DataFrame(rows, columns=["column", "type", "dtype", "description"]).astype("str")
    frame["values"] = pd.Series([list(each.values or ()) for each in described], dtype="object")
    return frame
