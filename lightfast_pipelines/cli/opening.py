"""How a command reaches the database and what stands in it: connections, workspaces, providers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lightfast_pipelines.models.embedder import Embedder
    from lightfast_pipelines.store.database import Connection, Database
    from lightfast_pipelines.store.links import Workspace


@contextmanager
def the_database() -> Iterator[Database]:
    """The database of the settings, started and migrated if need be."""
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.database import open_database

    with open_database(settings()) as database:
        yield database


@contextmanager
def a_connection() -> Iterator[Connection]:
    """One connection of the pipeline's role; the command commits."""
    with the_database() as database, database.connect(application_name="lightfast-command") as conn:
        yield conn


def the_workspace(conn: Connection, name: str) -> Workspace:
    """By slug, or by org/slug; an unknown one is an expected failure."""
    from lightfast_pipelines.store.links import find_workspace

    return find_workspace(conn, name)


def known_provider(name: str) -> str:
    """The provider's name, or wrong usage."""
    from lightfast_pipelines.providers import discover

    known = discover()
    if name not in known:
        message = f"{name!r} is not a provider; known: {', '.join(sorted(known)) or 'none'}"
        raise typer.BadParameter(message, param_hint="--provider")
    return name


def the_embedder() -> Embedder:
    """The local one; naming it loads nothing."""
    from lightfast_pipelines.models.embedder import WordLlamaEmbedder

    return WordLlamaEmbedder()


def the_operator() -> str:
    """Who gives the command, as `activity.actor` names it."""
    import getpass

    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "operator"
