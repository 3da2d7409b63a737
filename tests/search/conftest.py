"""Searches: of the demo's story, and of hand-written deliveries in a fresh database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.search.results import SearchResults
from lightfast_pipelines.search.search import search
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import Workspace, find_workspace

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


@pytest.fixture
def story(story_database: Database) -> Iterator[Search]:
    """Asks the demo's story."""
    with story_database.connect("pipeline") as conn:
        yield asked(conn, find_workspace(conn, WORKSPACE))
