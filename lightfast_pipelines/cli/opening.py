"""How a command reaches the database and what stands in it: connections, workspaces, providers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.embedding.embedder import Embedder
    from lightfast_pipelines.store.database import Connection, Database
    from lightfast_pipelines.store.links import Workspace

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def the_database(*, create: bool = False) -> Iterator[Database]:
    """The database of the settings, started and migrated if need be.

    Only what begins something creates one (`create`). Elsewhere, as from a folder above which there is
    no home, an empty database would answer with nothing, and pass for the right one.
    """
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.database import open_database

    found = settings()
    if found.is_embedded:
        _look_at_home(found.home, create)
    with open_database(found, migrate=False) as database:
        if not create and database.is_empty():
            what_to_do = "; ".join(database.lacking()) or (
                "`lightfast db migrate` or `lightfast workspace add NAME` begins"
            )
            raise Failure(f"nothing is in the database yet ({database.describe()}): {what_to_do}")
        database.migrate()
        yield database


def check_home(home: Path) -> None:
    """Raises Failure where the folder cannot be a home."""
    from lightfast_pipelines.settings import the_home
    from lightfast_pipelines.settings.home import problem_of

    problem = problem_of(home, named=the_home().named)
    if problem is not None:
        raise Failure(problem)


def _look_at_home(home: Path, create: bool) -> None:
    from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
    from lightfast_pipelines.settings import the_home
    from lightfast_pipelines.settings.home import NAME

    check_home(home)
    if EmbeddedPostgres(home).exists():
        return
    if create:
        say(f"making a database in {home}")
        return
    elsewhere = CHECKOUT / NAME
    hint = (
        f"there is one in {elsewhere}: set LIGHTFAST_HOME={elsewhere}, or run this from {CHECKOUT}"
        if elsewhere != home and EmbeddedPostgres(elsewhere).exists()
        else "set LIGHTFAST_HOME to where it is; `make up` or `lightfast workspace add NAME` makes one"
    )
    raise Failure(f"no database in {home} ({the_home().reason}): {hint}")


@contextmanager
def a_connection(*, create: bool = False) -> Iterator[Connection]:
    """One connection of the pipeline's role; the command commits. `create` as for `the_database`."""
    with (
        the_database(create=create) as database,
        database.connect(application_name="lightfast-command") as conn,
    ):
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
    from lightfast_pipelines.embedding.embedder import WordLlamaEmbedder

    return WordLlamaEmbedder()


def the_operator() -> str:
    """Who gives the command, as `activity.actor` names it."""
    import getpass

    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "operator"
