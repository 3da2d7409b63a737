"""The asset `model_answers` shows what was asked, what it used and what is left, and never fails a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.language.port import NO_LANGUAGE, Language
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import workspace_with
from tests.language.asked import issues, language
from tests.servers.anthropic import AnthropicServer, anthropic_server
from tests.servers.serving import Fault


@pytest.fixture(scope="module")
def server() -> Iterator[AnthropicServer]:
    with anthropic_server() as running:
        yield running


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def _metadata(instance: dg.DagsterInstance, database: Database, chosen: Language) -> dict[str, Any]:
    job = build_definitions(database=database, language=chosen).resolve_job_def("language")
    result = job.execute_in_process(instance=instance, raise_on_error=True)
    [event] = result.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}


def test_a_run_shows_what_was_asked_and_what_is_left(
    instance: dg.DagsterInstance, database: Database, conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish", "Goods return")
    shown = _metadata(instance, database, language(server, daily_tokens=50_000))
    assert shown["dagster/row_count"] == 2
    assert shown["model"] == "claude-haiku-5-5"
    assert (shown["tokens_used_today"], shown["tokens_left_today"]) == (1_040, 48_960)
    assert (shown["asked_of_run"], shown["answered_of_run"], shown["requests_of_run"]) == (2, 2, 1)
    assert (shown["fallbacks"], shown["stopped"], shown["waiting"]) == ({}, "", 0)


def test_an_outage_or_no_key_is_shown_and_the_run_succeeds(
    instance: dg.DagsterInstance, database: Database, conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    off = _metadata(instance, database, NO_LANGUAGE)
    assert (off["model"], off["stopped"]) == ("local rules", "ANTHROPIC_API_KEY is not set")
    server.served.faults.append(Fault(times=9, status=529))
    failed = _metadata(instance, database, language(server))
    assert "529" in failed["stopped"]
    assert (failed["answered_of_run"], failed["waiting"]) == (0, 1)
