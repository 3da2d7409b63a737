"""Child processes that end with the test, and an instance of Dagster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lightfast_pipelines.cli.stack.children import Children
from lightfast_pipelines.embedded_postgres import Lease

ROOT = Path(__file__).resolve().parents[3]
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
    """With its storage in Postgres, as configured by the checkout."""
    folder = tmp_path_factory.mktemp("dagster")
    shutil.copy(ROOT / "dagster.yaml", folder)
    url = postgres.url("dagster", "lightfast_migrator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTFAST_DAGSTER_URL", "postgresql+psycopg2://" + url.partition("://")[2])
        with dg.DagsterInstance.from_config(str(folder)) as made:
            yield made
