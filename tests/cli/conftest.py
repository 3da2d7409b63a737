"""Commands as a user gives them, on a fresh database of the session's Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lightfast_pipelines import settings as settings_module
from lightfast_pipelines.cli import app
from lightfast_pipelines.demo.story import tell
from lightfast_pipelines.store.database import Database

STORY = tell(date(2026, 5, 20))
"""The demo's story as of a fixed day, which `told` has in the workspace STORY.workspace."""


@dataclass
class Lightfast:
    """Runs `lightfast` in this process; fails on an exit code that was not expected."""

    database: Database

    def __call__(self, *words: str, exits: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(app, words, input=stdin)
        shown = f"{' '.join(words)}\n{result.stdout}\n{result.stderr}\n{result.exception!r}"
        assert result.exit_code == exits, shown
        assert "Traceback" not in result.stderr
        return result

    def json(self, *words: str, exits: int = 0) -> Any:
        return json.loads(self(*words, "--json", exits=exits).stdout)


@pytest.fixture
def lightfast(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lightfast]:
    monkeypatch.setenv("LIGHTFAST_DATABASE_URL", database.url("migrator"))
    monkeypatch.setenv("LIGHTFAST_HOME", str(tmp_path / "home"))
    settings_module.settings.cache_clear()
    yield Lightfast(database)
    settings_module.settings.cache_clear()


@pytest.fixture
def told(
    story_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lightfast]:
    """Commands on the database that has the demo's story; only for commands that read."""
    monkeypatch.setenv("LIGHTFAST_DATABASE_URL", story_database.url("migrator"))
    monkeypatch.setenv("LIGHTFAST_HOME", str(tmp_path / "home"))
    settings_module.settings.cache_clear()
    yield Lightfast(story_database)
    settings_module.settings.cache_clear()


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[Sequence[dict[str, Any]]], str]:
    """Writes JSON lines; gives the file's path."""

    def write(lines: Sequence[dict[str, Any]]) -> str:
        path = tmp_path / "deliveries.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return str(path)

    return write
