"""The repository whose documents the tests look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightfast_pipelines.store.database import Database
from tests.documents.looked_at import Library, library


@pytest.fixture
def shop(database: Database) -> Iterator[Library]:
    """A served repository, linked to the workspace `shop`, without any commit yet."""
    with library(database) as served:
        served.link()
        yield served
