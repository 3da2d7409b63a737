"""Connections that read: a fresh database, and one with the demo's story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lightfast_pipelines.read as lf
from lightfast_pipelines.store.database import Database

WORKSPACE = "demo-2026-05-20"


@pytest.fixture
def memory(database: Database) -> Iterator[lf.AnalystConnection]:
    """Reads a fresh database."""
    with lf.connect(database.url("analyst")) as connection:
        yield connection


@pytest.fixture
def story(story_database: Database) -> Iterator[lf.AnalystConnection]:
    """Reads the demo's story."""
    with lf.connect(story_database.url("analyst")) as connection:
        yield connection
