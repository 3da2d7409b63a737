"""Searches: the demo's story, processed once, and hand-written deliveries on a fresh database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from bench.capture import process_all
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.search.results import SearchResults
from lightfast_pipelines.search.search import search
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import Workspace, find_workspace
from tests.demo.test_story import play

WORKSPACE = "demo-2026-05-20"
AFTER_THE_STORY = datetime(2026, 5, 20, 23, tzinfo=UTC)
Search = Callable[..., SearchResults]


def asked(conn: Connection, workspace: Workspace) -> Search:
    """Asks this workspace."""

    def ask(query: str, **options: Any) -> SearchResults:
        options.setdefault("now", AFTER_THE_STORY)
        options.setdefault("embedder", WordLlamaEmbedder())
        return search(conn, workspace, query, **options)

    return ask


@pytest.fixture(scope="module")
def story_database(postgres: Lease) -> Iterator[Database]:
    """A database with the demo's story, captured and consolidated; no test may change it."""
    name = "story_to_search"
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
def story(story_database: Database) -> Iterator[Search]:
    """Asks the demo's story."""
    with story_database.connect("pipeline") as conn:
        yield asked(conn, find_workspace(conn, WORKSPACE))
