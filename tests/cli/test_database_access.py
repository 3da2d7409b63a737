"""Commands reach their database, or say in one line why not; only some of them create one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from lightfast_pipelines.cli import app
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack.processes import check_storage
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.store.database import Database
from tests.cli.conftest import Lightfast


@pytest.fixture
def own_logins(lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightfast_pipelines.settings import settings

    for role in ("receiver", "pipeline", "analyst"):
        address = lightfast.database.url(role)
        monkeypatch.setenv(f"LIGHTFAST_{role.upper()}_DATABASE_URL", address)
    settings.cache_clear()


@pytest.mark.usefixtures("own_logins")
def test_db_url_connects_as_the_chosen_role(lightfast: Lightfast) -> None:
    for role in ("pipeline", "analyst", "receiver"):
        with psycopg.connect(lightfast("db", "url", "--role", role).stdout.strip()) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (f"lightfast_{role}",)


@pytest.mark.usefixtures("own_logins")
def test_psql_reads_as_the_analyst_and_passes_its_exit_code_on(
    lightfast: Lightfast, capfd: pytest.CaptureFixture[str]
) -> None:
    lightfast("db", "psql", "-Atc", "SELECT current_user, count(*) FROM workspaces")
    assert "lightfast_analyst|0" in capfd.readouterr().out
    lightfast("db", "psql", "-c", "SELECT body FROM raw_bodies", exits=1)
    assert "permission denied" in capfd.readouterr().err


def test_migrate_prints_the_revision(lightfast: Lightfast) -> None:
    assert lightfast.json("db", "migrate")["revision"]


def test_index_vectors_says_what_it_made(lightfast: Lightfast) -> None:
    made = lightfast.json("db", "index-vectors")
    assert made == {"made": [], "dropped": [], "indexes": 0}
    assert "0 indexes: made none" in lightfast("db", "index-vectors").stdout


@pytest.mark.usefixtures("own_logins")
def test_index_vectors_without_the_owners_login_says_what_to_set(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.settings import settings

    monkeypatch.delenv("LIGHTFAST_DATABASE_URL")
    settings.cache_clear()
    assert "LIGHTFAST_DATABASE_URL" in lightfast("db", "index-vectors", exits=1).stderr


def test_an_unreachable_database_is_one_line(
    monkeypatch: pytest.MonkeyPatch, lightfast: Lightfast
) -> None:
    from lightfast_pipelines.settings import settings

    monkeypatch.setenv("LIGHTFAST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    settings.cache_clear()
    stderr = lightfast("status", exits=1).stderr
    assert "LIGHTFAST_DATABASE_URL" in stderr
    assert len(stderr.strip().splitlines()) == 1


def test_an_unreachable_storage_of_dagster_is_one_line_before_anything_starts(
    postgres: Lease,
) -> None:
    lost = "postgresql://app:hunter2@127.0.0.1:1/none"
    with pytest.raises(Failure) as raised:
        check_storage(Database(lease=postgres, dagster=lost))
    assert "LIGHTFAST_DAGSTER_DATABASE_URL" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    check_storage(Database(lease=postgres))


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder without a home in it or above it, and a user without one."""
    from lightfast_pipelines.settings import settings

    for name in ("LIGHTFAST_HOME", "LIGHTFAST_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("waiting",),
        ("why", "github:pr:1#1"),
        ("state", "github:pr:1#1"),
        ("show", "github:pr:1#1"),
        ("timeline",),
        ("chain", "github:pr:1#1"),
        ("digest",),
        ("process",),
        ("activity",),
        ("outages",),
        ("workspace", "list"),
        ("integration", "list"),
        ("backfill", "status"),
        ("db", "psql", "-c", "SELECT 1"),
        ("rebuild", "--yes"),
    ],
)
def test_only_commands_that_begin_something_create_a_database(
    outside: Path, words: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    [line] = result.stderr.strip().splitlines()
    assert str(outside / ".lightfast") in line
    assert "LIGHTFAST_HOME" in line
    assert list(outside.iterdir()) == []


def test_a_command_that_only_reads_leaves_an_empty_database_empty(
    lightfast: Lightfast, postgres: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.settings import settings

    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("CREATE DATABASE empty TEMPLATE template1 OWNER lightfast_migrator")
    address = postgres.url("empty", "lightfast_migrator")
    monkeypatch.setenv("LIGHTFAST_DATABASE_URL", address)
    settings.cache_clear()
    assert "nothing is in the database yet" in lightfast("status", exits=1).stderr
    with psycopg.connect(address) as conn:
        assert conn.execute("SELECT to_regnamespace('lightfast')").fetchone() == (None,)
    lightfast("workspace", "add", "acme")
    assert lightfast.json("status")["memory"]["observations"] == 0
