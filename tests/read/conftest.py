"""Connections that read: a fresh database, and one with the demo's story, loaded once."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

import lightfast_pipelines.read as lf
from bench.capture import process_all
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.store.database import Database
from tests.demo.test_story import play

WORKSPACE = "demo-2026-05-20"


@pytest.fixture
def memory(database: Database) -> Iterator[lf.AnalystConnection]:
    """Reads a fresh database."""
    with lf.connect(database.url("analyst")) as connection:
        yield connection


@pytest.fixture(scope="session")
def story_database(postgres: Lease) -> Iterator[Database]:
    """A database with the demo's story, captured and consolidated. Tests only read it."""
    name = "story_to_read"
    with Database(lease=postgres).connect("migrator", autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE lightfast_template")
    database = Database(lease=postgres, name=name)
    with database.connect("pipeline") as conn:
        play(conn)
        conn.commit()
    process_all(database)
    yield database
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def story(story_database: Database) -> Iterator[lf.AnalystConnection]:
    """Reads the demo's story."""
    with lf.connect(story_database.url("analyst")) as connection:
        yield connection
