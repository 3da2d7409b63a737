"""Instances of Dagster as the checkout configures them, on a real Postgres."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def dagster_instance(url: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance whose storage is the database at `url`."""
    shutil.copy(ROOT / "dagster.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTFAST_DAGSTER_URL", "postgresql+psycopg2://" + url.partition("://")[2])
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            yield instance
