"""Connections that ask the demo's story, and the option that writes the answers anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lightfast_pipelines.read as lf
from lightfast_pipelines.read import analyst_connection
from lightfast_pipelines.store.database import Connection, Database


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the answers of docs/questions.md anew"
    )


@pytest.fixture(scope="module")
def analyst(story_database: Database) -> Iterator[Connection]:
    with story_database.connect("analyst", autocommit=True) as conn:
        yield conn


@pytest.fixture
def reading(story_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls of `lightfast_pipelines.read` without a connection read the story."""
    with lf.connect(story_database.url("analyst")) as connection:
        monkeypatch.setattr(analyst_connection, "_default", connection)
        yield
