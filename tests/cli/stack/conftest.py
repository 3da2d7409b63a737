"""Child processes that end with the test, and an instance of Dagster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lightfast_pipelines.cli.stack.children import Children
from lightfast_pipelines.embedded_postgres import Lease
from tests.dagster_instances import dagster_instance

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Ended with everything they started, even if the test fails."""
    made = Children(tmp_path / "logs", lambda: NOW)
    yield made
    made.end()


@pytest.fixture(scope="module")
def instance(
    postgres: Lease, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    url = postgres.url("dagster", "lightfast_migrator")
    with dagster_instance(url, tmp_path_factory.mktemp("dagster")) as made:
        yield made
