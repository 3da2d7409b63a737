"""Reads the observations of a workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from psycopg import sql

from lightfast_pipelines.read.analyst_connection import AnalystConnection, default_connection
from lightfast_pipelines.read.answering import answer, window, workspace_id_of
from lightfast_pipelines.read.errors import unknown
from lightfast_pipelines.read.moments import Moment
from lightfast_pipelines.read.selection import Source, select
from lightfast_pipelines.read.values import listed

if TYPE_CHECKING:
    import pandas as pd

    from lightfast_pipelines.read.catalogue import Catalogue

_SOURCE = sql.SQL(
    """(
      SELECT w.slug AS workspace, o.*, p.actor_name AS actor, p.actor_id, p.author_name AS author,
             p.author_id
      FROM lightfast.remembered o
      JOIN lightfast.workspaces w ON w.id = o.workspace_id
      LEFT JOIN lightfast.observation_people p ON p.observation_id = o.id
    ) observations"""
)


@overload
def observations(
    workspace: str,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    types: str | Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    chunks: None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame: ...


@overload
def observations(
    workspace: str,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    types: str | Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    chunks: int,
    on: AnalystConnection | None = None,
) -> Iterator[pd.DataFrame]: ...


def observations(
    workspace: str,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    types: str | Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    chunks: int | None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """The observations of a workspace that are not deleted, with who did them and whose work they are.

    `types`: `pull-request.merged`, or `pull-request` for everything that happens to one; one or several.
    The other arguments are those of `table`. The view `changes` has fewer columns and more names.
    """
    on = on or default_connection()
    source = _observations(on.catalogue())
    asked = select(source, columns, ("occurred_at", "id"))
    workspace_id = workspace_id_of(on, workspace)
    asked.of_workspace(workspace_id)
    asked.between("occurred_at", *window(since, until))
    if types is not None:
        named = [types] if isinstance(types, str) else list(types)
        _check_types(on, workspace_id, named)
        asked.add(
            "(source_type = ANY(%s) OR split_part(source_type, '.', 1) = ANY(%s))", named, named
        )
    asked.equal(where or {})
    return answer(on, asked.statement(), asked.parameters, chunks)


def _observations(catalogue: Catalogue) -> Source:
    people = catalogue.relation("observation_people").columns
    columns = {
        "workspace": catalogue.relation("workspaces").columns["slug"],
        **catalogue.relation("remembered").columns,
        "actor": people["actor_name"],
        "actor_id": people["actor_id"],
        "author": people["author_name"],
        "author_id": people["author_id"],
    }
    return Source("observations", _SOURCE, columns)


def _check_types(on: AnalystConnection, workspace_id: int, types: Sequence[str]) -> None:
    """Raises ReadError for a type that is neither declared nor in the workspace."""
    from lightfast_pipelines.store.timeline import types_like

    known = {*listed("types"), *listed("things")}
    if known.issuperset(types):
        return
    with on.session() as conn:
        _, there = types_like(conn, workspace_id, "*")
    known |= {*there, *(kind.partition(".")[0] for kind in there)}
    for each in types:
        if each not in known:
            raise unknown("type of observation", each, known)
