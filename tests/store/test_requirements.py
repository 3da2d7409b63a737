"""All problems of a server are reported before the first statement, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

import psycopg
import pytest

from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.migrate import MigrationError, head_revision
from lightfast_pipelines.store.requirements import Server, problems_of, too_old

GOOD = Server(
    database="memory",
    user="app",
    read_only=False,
    encoding="UTF8",
    may_create_schema=True,
    may_create_roles=True,
    may_install=True,
    schema_owner=None,
    vector_installed_in="public",
    vector_available=True,
)


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        (150_018, "Postgres 15,"),
        (130_000, "Postgres 13,"),
        (90_624, "Postgres 9.6,"),
        (160_000, ""),
    ],
)
def test_a_server_older_than_16_is_refused(version: int, shown: str) -> None:
    problem = too_old(version)
    assert (shown in problem) if problem else not shown


@pytest.mark.parametrize(
    ("server", "advice"),
    [
        (GOOD, None),
        (replace(GOOD, vector_installed_in=None), None),
        (replace(GOOD, vector_installed_in=None, vector_available=False), "postgresql-16-pgvector"),
        (replace(GOOD, vector_installed_in=None, may_install=False), "CREATE EXTENSION vector"),
        (replace(GOOD, vector_installed_in="stuff"), "SET SCHEMA public"),
        (replace(GOOD, encoding="LATIN1"), "ENCODING 'UTF8'"),
        (replace(GOOD, read_only=True), "primary"),
        (replace(GOOD, may_create_schema=False), 'GRANT CREATE ON DATABASE "memory" TO "app"'),
        (replace(GOOD, may_create_roles=False), "CREATEROLE"),
        (replace(GOOD, may_create_roles=False, missing_roles=()), None),
        (replace(GOOD, closed_roles=("lightfast_analyst",)), "WITH SET TRUE"),
        (replace(GOOD, schema_owner="other"), "belongs to other"),
    ],
)
def test_each_problem_comes_with_a_remedy(server: Server, advice: str | None) -> None:
    problems = problems_of(server)
    assert len(problems) == (advice is not None)
    assert advice is None or advice in problems[0]


@pytest.fixture
def foreign(postgres: Lease) -> Iterator[Callable[[str], Database]]:
    """Makes an empty database and a user with the given rights, as on a server of one's own."""
    made: list[str] = []

    def make(rights: str) -> Database:
        name = f"foreign_{len(made)}"
        with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
            conn.execute(f"CREATE ROLE {name} LOGIN {rights}")
            conn.execute(f"CREATE DATABASE {name} TEMPLATE template1")
        made.append(name)
        address = postgres.url(name, name).replace(f"{name}@", f"{name}:{quote('hunter2')}@")
        return Database(address=address)

    yield make
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
        for name in made:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
            conn.execute(f"DROP ROLE {name}")


def test_a_user_without_rights_gets_all_problems_at_once_and_leaves_no_schema(
    foreign: Callable[[str], Database],
) -> None:
    database = foreign("NOCREATEROLE")
    with pytest.raises(MigrationError) as raised:
        database.migrate()
    message = str(raised.value)
    assert "GRANT CREATE ON DATABASE" in message
    assert "WITH SET TRUE" in message  # another database of the server created the roles
    assert "hunter2" not in message
    with database.connect("migrator") as conn:
        assert conn.execute("SELECT to_regnamespace('lightfast')").fetchone() == (None,)


def test_a_migration_that_fails_half_way_leaves_nothing_behind(
    foreign: Callable[[str], Database],
) -> None:
    database = foreign("SUPERUSER")
    with database.connect("migrator", autocommit=True) as conn:
        # Blocks a table of the schema; no check before the migration detects it.
        conn.execute("CREATE SCHEMA lightfast")
        conn.execute("CREATE TABLE lightfast.workspaces (id int)")
    with pytest.raises(MigrationError, match="already exists"):
        database.migrate()
    with database.connect("migrator") as conn:
        rows = conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'lightfast'::regnamespace"
        ).fetchall()
    assert rows == [("workspaces",)]


def test_the_time_zone_and_date_style_of_a_server_change_nothing(
    foreign: Callable[[str], Database],
) -> None:
    database = foreign("SUPERUSER")
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute("ALTER ROLE CURRENT_USER SET timezone = 'America/New_York'")
        conn.execute("ALTER ROLE CURRENT_USER SET datestyle = 'German'")
    assert database.migrate() == head_revision()
    for role in ("migrator", "pipeline", "analyst"):
        with database.connect(role) as conn:
            shown = conn.execute("SELECT '2026-05-01T22:30:00Z'::timestamptz::text").fetchone()
            assert shown == ("2026-05-01 22:30:00+00",)


def test_tables_are_found_by_their_bare_names_on_either_kind_of_server(
    database: Database, foreign: Callable[[str], Database]
) -> None:
    own = foreign("SUPERUSER")
    own.migrate()
    for place in (database, own):
        for role in ("pipeline", "analyst"):
            with psycopg.connect(place.url(role)) as conn:
                assert conn.execute("SELECT count(*) FROM observations").fetchone() == (0,)


def test_the_description_of_a_database_holds_neither_user_nor_password(
    foreign: Callable[[str], Database],
) -> None:
    shown = foreign("NOCREATEROLE").describe()
    assert "hunter2" not in shown
    assert "foreign_0" in shown


def test_the_extension_is_found_in_the_schema_where_hosted_servers_put_it(
    foreign: Callable[[str], Database],
) -> None:
    database = foreign("SUPERUSER")
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute("CREATE SCHEMA extensions")
        conn.execute("GRANT USAGE ON SCHEMA extensions TO PUBLIC")
        conn.execute("ALTER EXTENSION vector SET SCHEMA extensions")
    assert database.migrate() == head_revision()
    with database.connect() as conn:
        assert conn.execute("SELECT count(*) FROM observation_vectors").fetchone() == (0,)
