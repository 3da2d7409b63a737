"""What the questions share: the workspace, the window of time, and the form of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lightfast_pipelines.read.catalogue import Relation
from lightfast_pipelines.read.errors import ReadError
from lightfast_pipelines.read.frames import Parameters, frames, one_frame
from lightfast_pipelines.read.moments import Moment, moment_of

if TYPE_CHECKING:
    import pandas as pd
    from psycopg import sql

    from lightfast_pipelines.read.analyst_connection import AnalystConnection


def answer(
    on: AnalystConnection,
    statement: str | sql.Composed,
    parameters: Parameters,
    chunks: int | None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """One frame, or with `chunks` frames of so many rows."""
    asked = statement.encode() if isinstance(statement, str) else statement
    if chunks is None:
        return one_frame(on, asked, parameters)
    return frames(on, asked, parameters, chunks)


def relation_named(on: AnalystConnection, name: str) -> Relation:
    """The view or table. Raises ReadError, which names those that there are."""
    catalogue = on.catalogue()
    if name not in catalogue:
        # It may have been made since the connection was opened.
        catalogue = on.catalogue(again=True)
    return catalogue.relation(name)


def workspace_id_of(on: AnalystConnection, name: str) -> int:
    """The id of the workspace with this slug, or organisation/slug. Raises ReadError."""
    from lightfast_pipelines.store.linked_resources import LinkRefusedError, find_workspace

    with on.session() as conn:
        try:
            return find_workspace(conn, name).id
        except LinkRefusedError as error:
            raise ReadError(str(error)) from error


def window(since: Moment | None, until: Moment | None) -> tuple[datetime | None, datetime | None]:
    now = datetime.now(UTC)
    return (
        None if since is None else moment_of(since, "since", now=now),
        None if until is None else moment_of(until, "until", now=now),
    )
