"""The demo's story, loaded once, for the questions that are asked of it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

import lightfast_pipelines.read as lf
from bench.capture import process_all
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.read import analyst_connection
from lightfast_pipelines.store.database import Connection, Database
from tests.demo.test_story import play


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the answers of docs/questions.md anew"
    )


@pytest.fixture(scope="module")
def story(postgres: Lease) -> Iterator[Database]:
    """A database with the demo's story, processed to the end."""
    name = "story_to_ask"
    with Database(lease=postgres).connect("migrator", autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE lightfast_template")
    database = Database(lease=postgres, name=name)
    with database.connect() as conn:
        play(conn)
        conn.commit()
    process_all(database)
    yield database
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def analyst(story: Database) -> Iterator[Connection]:
    with story.connect("analyst", autocommit=True) as conn:
        yield conn


@pytest.fixture
def reading(story: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls of `lightfast_pipelines.read` without a connection read the story."""
    with lf.connect(story.url("analyst")) as connection:
        monkeypatch.setattr(analyst_connection, "_default", connection)
        yield
