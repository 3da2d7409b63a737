"""The job that asks the language model runs only if there is something to ask, and says why not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lightfast_pipelines.jobs.language import language_when_due
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.model_batches import BatchedContent, add_batch
from lightfast_pipelines.store.model_pauses import pause
from tests.capture.deliveries import workspace_with
from tests.language.asked import issues


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    settings.cache_clear()
    yield
    settings.cache_clear()


def _tick(instance: dg.DagsterInstance, database: Database) -> str | None:
    """Why the schedule asks for no run; None if it asks for one."""
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    tick = language_when_due(context)
    return tick.skip_message if isinstance(tick, dg.SkipReason) else None


def test_a_run_is_asked_for_while_a_question_is_open(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace_with(conn)
    assert _tick(instance, database) == "no question is open"
    issues(conn, "Goods vanish")
    assert _tick(instance, database) is None
    pause(conn, "anthropic", datetime.now(UTC) + timedelta(hours=1), "529 overloaded")
    conn.commit()
    assert "after 529 overloaded" in str(_tick(instance, database))
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    settings.cache_clear()
    assert _tick(instance, database) == "ANTHROPIC_API_KEY is not set"


def test_results_of_a_batch_that_took_the_whole_budget_are_read_on_the_same_day(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTFAST_ANTHROPIC_DAILY_TOKENS", "0")
    settings.cache_clear()
    workspace = workspace_with(conn)
    assert _tick(instance, database) == "the budget of 0 tokens a day is used up"
    now = datetime.now(UTC)
    add_batch(
        conn,
        provider="anthropic",
        model="claude-haiku-5-5",
        purpose="observations",
        prompt_version=1,
        day=now.date(),
        reserved_tokens=0,
        requests={"request": [BatchedContent((workspace.id, "0" * 64), None)]},
        now=now,
    )
    conn.commit()
    assert _tick(instance, database) is None
