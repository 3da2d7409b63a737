"""`lightfast models` says what is on, what it used today and why something is off, and shows no key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from lightfast_pipelines.cli import app
from lightfast_pipelines.cli import models as command
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.model_pauses import pause
from lightfast_pipelines.store.model_usage import record_usage

_KEYS = {
    name: f"secret-{name}" for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PINECONE_API_KEY")
}


@pytest.fixture(autouse=True)
def _environment(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(command, "command_connection", database.connect)
    for name in _KEYS:
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def _shown() -> dict[tuple[str, str], dict[str, object]]:
    printed = CliRunner().invoke(app, ["models", "--json"])
    assert printed.exit_code == 0, printed.output
    return {(row["service"], row["provider"]): row for row in json.loads(printed.output)}


def test_without_keys_what_is_local_serves_and_each_hosted_service_says_why_it_is_off() -> None:
    shown = _shown()
    off = {row["off"] for row in shown.values() if not row["is_on"]}
    assert off == {f"{name} is not set" for name in _KEYS}
    assert shown["embedder", "local"]["is_on"] is True
    assert shown["vector index", "local"]["name"] == "pgvector"
    assert shown["language model", "none"]["name"] == "local rules"


def test_with_keys_it_names_models_dimensions_usage_and_what_is_left(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in _KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("LIGHTFAST_ANTHROPIC_DAILY_TOKENS", "5000")
    now = datetime.now(UTC)
    record_usage(
        conn,
        day=now.date(),
        provider="anthropic",
        model="claude-haiku-5-5",
        purpose="observations",
        requests=2,
        input_tokens=1_000,
        output_tokens=200,
        failures=1,
        error="529 overloaded_error",
    )
    pause(conn, "anthropic", now + timedelta(hours=1), "529 overloaded_error")
    conn.commit()
    row = _shown()["language model", "anthropic"]
    assert (row["name"], row["is_on"]) == ("claude-haiku-5-5", True)
    assert (row["requests"], row["tokens_used"], row["tokens_left"]) == (2, 1_200, 3_800)
    assert row["last_error"] == "529 overloaded_error"
    assert "paused until" in str(row["off"])
    printed = CliRunner().invoke(app, ["models"]).output
    assert "claude-haiku-5-5" in printed
    assert "529 overloaded_error" in printed
    for key in _KEYS.values():
        assert key not in printed + json.dumps([*_shown().values()])


def test_a_used_up_budget_is_why_nothing_is_asked(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    monkeypatch.setenv("LIGHTFAST_ANTHROPIC_DAILY_TOKENS", "0")
    row = _shown()["language model", "anthropic"]
    assert row["off"] == "the budget of 0 tokens a day is used up"
