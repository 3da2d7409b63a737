"""Analysts read every view and nothing raw, and name no schema: in psql, pandas, DuckDB, by any login."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lightfast_pipelines.cli.opening import CHECKOUT
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.embedded_postgres.binaries import installed_binaries
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.tables import view_metadata
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.providers.github import payloads as github

_VIEWS = sorted(view.name for view in view_metadata.tables.values())
_RAW = ("raw_bodies", "delivery_bodies", "installation_secrets", "tokens")
_QUESTION = "SELECT key FROM changes WHERE type = 'issue.opened' ORDER BY key"
_ANSWER = ["github:issue:1#1", "github:issue:1#2"]


@pytest.fixture
def shop(conn: Connection, database: Database) -> Database:
    """A database with two issues."""
    workspace_with(conn, "shop", 1)
    receive(conn, [delivery("issues", github.issue("opened", number)) for number in (1, 2)])
    capture_all(conn)
    return database


@pytest.fixture
def login(postgres: Lease, shop: Database) -> Iterator[str]:
    """The address of a login that an operator made as docs/operations.md says."""
    page = (CHECKOUT / "docs" / "operations.md").read_text()
    [statements] = re.findall(r"```sql\n(CREATE ROLE mira .*?)```", page, re.DOTALL)
    # The socket asks for no password, and lets in the roles of the server that it knows.
    owner = postgres.url(shop.url("analyst").partition("?")[0].rpartition("/")[2], "postgres")
    with psycopg.connect(owner, autocommit=True) as conn:
        for statement in statements.split(";"):
            conn.execute(statement)
        yield owner
        conn.execute("DROP OWNED BY mira; DROP ROLE mira")


def test_the_analyst_reads_every_view_and_nothing_raw(shop: Database) -> None:
    with shop.connect("analyst", autocommit=True) as conn:
        for view in _VIEWS:
            if view not in _RAW:
                conn.execute(f"SELECT * FROM {view} LIMIT 5").fetchall()
        for table in _RAW:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(f"SELECT * FROM {table}")


def test_psql_needs_no_schema(shop: Database) -> None:
    psql = installed_binaries() / "bin" / "psql"
    output = subprocess.run(
        [psql, "-XAt", "-c", _QUESTION, shop.login_url("analyst")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert output.split() == _ANSWER


def test_pandas_needs_no_schema(shop: Database) -> None:
    pandas: Any = pytest.importorskip("pandas")
    sqlalchemy: Any = pytest.importorskip("sqlalchemy")
    address = shop.login_url("analyst").replace("postgresql://", "postgresql+psycopg://", 1)
    engine = sqlalchemy.create_engine(address)
    assert list(pandas.read_sql(_QUESTION, engine)["key"]) == _ANSWER
    engine.dispose()


def test_duckdb_needs_no_schema(shop: Database) -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    spec = importlib.util.find_spec("duckdb_extension_postgres_scanner")
    if spec is None or spec.origin is None:
        pytest.skip("the package duckdb-extension-postgres-scanner is not installed")
    [extension] = Path(spec.origin).parent.glob("extensions/*/postgres_scanner.duckdb_extension")
    with duckdb.connect() as local:
        local.execute(f"LOAD '{extension}'")
        local.execute(
            f"ATTACH '{shop.login_url('analyst')}' AS shop "
            "(TYPE postgres, SCHEMA 'lightfast', READ_ONLY)"
        )
        local.execute("USE shop.lightfast")
        assert [key for (key,) in local.execute(_QUESTION).fetchall()] == _ANSWER


def test_a_login_made_as_the_docs_say_needs_no_schema(login: str) -> None:
    with psycopg.connect(login, user="mira") as conn:
        assert [key for (key,) in conn.execute(_QUESTION)] == _ANSWER
        assert conn.execute("SHOW join_collapse_limit").fetchone() == ("20",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT * FROM raw_bodies")
