"""How a command reaches the database, a workspace, and the embedder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.embedding.embedder import Embedder
    from lightfast_pipelines.store.database import Connection, Database
    from lightfast_pipelines.store.linked_resources import Workspace

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def command_database(*, create: bool = False) -> Iterator[Database]:
    """The configured database, started and migrated if needed.

    Only a command that sets something up creates one (`create`). Any other command, run in the wrong
    folder, would otherwise use a new, empty database without saying so.
    """
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.database import open_database

    configured = settings()
    if configured.is_embedded:
        _check_embedded(configured.home, create)
    with open_database(configured, migrate=False) as database:
        if not create and database.is_empty():
            what_to_do = "; ".join(database.lacking()) or (
                "run `lightfast db migrate` or `lightfast workspace add NAME` first"
            )
            raise Failure(f"nothing is in the database yet ({database.describe()}): {what_to_do}")
        database.migrate()
        yield database


def check_home(home: Path) -> None:
    """Raises Failure if the folder cannot be a home."""
    from lightfast_pipelines.settings import the_home
    from lightfast_pipelines.settings.home import problem_of

    problem = problem_of(home, named=the_home().named)
    if problem is not None:
        raise Failure(problem)


def _check_embedded(home: Path, create: bool) -> None:
    from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
    from lightfast_pipelines.settings import the_home
    from lightfast_pipelines.settings.home import NAME

    check_home(home)
    if EmbeddedPostgres(home).exists():
        return
    if create:
        say(f"creating a database in {home}")
        return
    elsewhere = CHECKOUT / NAME
    hint = (
        f"there is one in {elsewhere}: set LIGHTFAST_HOME={elsewhere}, or run this from {CHECKOUT}"
        if elsewhere != home and EmbeddedPostgres(elsewhere).exists()
        else "set LIGHTFAST_HOME to its folder; `make up` or `lightfast workspace add NAME` creates one"
    )
    raise Failure(f"no database in {home} ({the_home().reason}): {hint}")


@contextmanager
def command_connection(*, create: bool = False) -> Iterator[Connection]:
    """A connection with the pipeline's role; the command commits. `create` as in `command_database`."""
    with (
        command_database(create=create) as database,
        database.connect(application_name="lightfast-command") as conn,
    ):
        yield conn


def workspace_named(conn: Connection, name: str) -> Workspace:
    """The workspace of a slug, or of org/slug. Raises LinkRefusedError if there is none."""
    from lightfast_pipelines.store.linked_resources import find_workspace

    return find_workspace(conn, name)


def default_embedder() -> Embedder:
    """The local one, which loads its model only when it is used."""
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder

    return WordLlamaEmbedder()


def operator_name() -> str:
    """Who runs the command, as `activity.actor` names them."""
    import getpass

    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "operator"
