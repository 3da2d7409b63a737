"""Usage of models adds up by day, model and purpose."""

from __future__ import annotations

from datetime import date, timedelta

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.model_usage import (
    last_failure,
    record_usage,
    tokens_used,
    usage_on,
)

_DAY = date(2026, 5, 4)


def _use(conn: Connection, day: date = _DAY, model: str = "small", **more: object) -> None:
    record_usage(
        conn,
        **{  # type: ignore[arg-type]
            "day": day,
            "provider": "anthropic",
            "model": model,
            "purpose": "observations",
            "requests": 1,
            **more,
        },
    )


def test_requests_of_a_day_add_up(conn: Connection) -> None:
    _use(conn, input_tokens=100, output_tokens=10, cached_tokens=40)
    _use(conn, input_tokens=200, output_tokens=20)
    _use(conn, day=_DAY + timedelta(days=1), input_tokens=7)
    [usage] = usage_on(conn, _DAY, "anthropic")
    assert (usage.requests, usage.input_tokens, usage.output_tokens) == (2, 300, 30)
    assert (usage.cached_tokens, usage.failures, usage.last_error) == (40, 0, None)


def test_the_budget_counts_all_models_of_a_provider_and_no_others(conn: Connection) -> None:
    _use(conn, input_tokens=100, output_tokens=10)
    _use(conn, model="large", input_tokens=5)
    _use(conn, provider="openai", input_tokens=1_000)
    assert tokens_used(conn, _DAY, "anthropic") == 115
    assert tokens_used(conn, _DAY + timedelta(days=1), "anthropic") == 0


def test_a_later_success_keeps_the_last_error(conn: Connection) -> None:
    assert last_failure(conn, "anthropic") is None
    _use(conn, failures=1, error="529: overloaded")
    _use(conn)
    [usage] = usage_on(conn, _DAY)
    assert (usage.requests, usage.failures, usage.last_error) == (2, 1, "529: overloaded")
    failure = last_failure(conn, "anthropic")
    assert failure is not None
    assert failure[1] == "529: overloaded"


def test_an_analyst_may_read_what_models_used(database: Database, conn: Connection) -> None:
    _use(conn)
    conn.commit()
    with database.connect("analyst") as analyst:
        assert len(usage_on(analyst, _DAY)) == 1
