"""Child processes that end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lightfast_pipelines.cli.stack.children import Children

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Ended with everything they started, even if the test fails."""
    made = Children(tmp_path / "logs", lambda: NOW)
    yield made
    made.end()
