"""A backlog goes to a batch, which is paid for once: also if runs are killed, and if parts of it fail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.language import batches
from lightfast_pipelines.language.claude import Claude
from lightfast_pipelines.language.port import Language, Prompt, SubmittedBatch
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_usage import usage_on
from tests.capture.deliveries import capture_all, one, workspace_with
from tests.language.asked import NOW, ask, categories, issues, language, open_titles
from tests.servers.anthropic import KEY, AnthropicServer, labelled
from tests.servers.serving import Fault

_LATER = NOW + timedelta(hours=2)


@pytest.fixture(autouse=True)
def _small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BACKLOG", 5)
    monkeypatch.setattr("lightfast_pipelines.language.contents.MOST_OBSERVATIONS", 10)


def _backlog_of(conn: Connection, number: int = 30) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(number)))


def _only(server: AnthropicServer) -> str:
    [batch_id] = server.batches
    return batch_id


def _open_batches(conn: Connection) -> int:
    return int(one(conn, "SELECT count(*) FROM lightfast.model_batches"))


def test_a_backlog_is_asked_in_a_batch_and_its_answers_are_applied_by_a_later_run(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    server.answer = labelled("performance")
    report = ask(conn, server)
    assert (report.asked, report.batched, report.waiting, report.stopped) == (0, 30, 0, None)
    assert server.questions == []
    assert len(server.batches[_only(server)].requests) == 3
    [usage] = usage_on(conn, NOW.date())
    assert usage.reserved_tokens > 10_000
    # Nothing is asked twice while the batch is under way.
    assert ask(conn, server).requests == 0
    assert len(server.batches) == 1
    server.finish(_only(server))
    done = ask(conn, server, now=_LATER)
    assert (done.cached, done.batched, done.requests) == (30, 0, 0)
    assert set(categories(conn).values()) == {"performance"}
    [usage] = usage_on(conn, NOW.date())
    assert (usage.requests, usage.reserved_tokens, usage.tokens) == (3, 0, 3 * 1_040)
    assert _open_batches(conn) == 0
    assert open_titles(conn) == []


def test_results_are_applied_after_a_rebuild_as_well(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    ask(conn, server)
    rebuild(conn)
    conn.commit()
    capture_all(conn)
    server.finish(_only(server))
    assert ask(conn, server, now=_LATER).cached == 30
    assert (len(server.batches), server.questions) == (1, [])


class _KilledAfter(Claude):
    """Submits, and is killed before the answer can be noted."""

    def submit(self, prompts: Mapping[str, Prompt]) -> SubmittedBatch:
        super().submit(prompts)
        raise KeyboardInterrupt


class _KilledBefore(Claude):
    def submit(self, prompts: Mapping[str, Prompt]) -> SubmittedBatch:
        raise KeyboardInterrupt


def _killed(conn: Connection, server: AnthropicServer, kind: type[Claude]) -> None:
    model = kind("claude-haiku-5-5", KEY, server.served.url, seconds=0.5, sleep=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        ask(conn, Language(model, daily_tokens=1_000_000))
    conn.rollback()


def test_a_run_killed_after_submitting_finds_its_batch_and_pays_once(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    _killed(conn, server, _KilledAfter)
    assert ask(conn, server, now=NOW + timedelta(minutes=5)).requests == 0
    server.finish(_only(server))
    assert ask(conn, server, now=_LATER).cached == 30
    assert (len(server.batches), server.questions) == (1, [])


def test_a_run_killed_before_submitting_leaves_nothing_behind(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    _killed(conn, server, _KilledBefore)
    # A list of batches may not show the newest at once.
    assert ask(conn, server, now=NOW + timedelta(minutes=1)).batched == 30
    assert ask(conn, server, now=NOW + timedelta(minutes=3)).batched == 30
    assert len(server.batches) == 1
    [usage] = usage_on(conn, NOW.date())
    reserved = one(conn, "SELECT reserved_tokens FROM lightfast.model_batches")
    assert usage.reserved_tokens == reserved


def test_somebody_elses_batch_of_the_same_size_is_not_taken_for_the_own(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    _killed(conn, server, _KilledAfter)
    own = _only(server)
    model = language(server).model
    assert model is not None
    prompt = Prompt("s", "<entries>\n[]\n</entries>", {"additionalProperties": False}, 10)
    foreign = model.submit({"a": prompt, "b": prompt, "c": prompt})
    server.finish(own)
    server.finish(foreign.id)
    assert ask(conn, server, now=_LATER).cached == 30
    assert (len(server.batches), server.questions) == (2, [])


def test_a_submission_whose_answer_was_lost_is_found_again(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    server.batches_cut = 1
    report = ask(conn, server)
    assert report.stopped is not None
    assert len(server.batches) == 1
    server.finish(_only(server))
    assert ask(conn, server, now=_LATER).cached == 30
    assert (len(server.batches), server.questions) == (1, [])


def test_a_submission_that_the_provider_refused_is_tried_again(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    server.served.faults.append(Fault(status=529))
    assert ask(conn, server).stopped is not None
    assert _open_batches(conn) == 0
    [usage] = usage_on(conn, NOW.date())
    assert (usage.failures, usage.reserved_tokens) == (1, 0)
    assert ask(conn, server, now=NOW + timedelta(minutes=1)).batched == 30


def test_expired_and_canceled_requests_are_asked_again_and_the_others_kept(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    ask(conn, server)
    first, second, _ = [request["custom_id"] for request in server.batches[_only(server)].requests]
    server.finish(_only(server), **{first: {"type": "expired"}, second: {"type": "canceled"}})
    report = ask(conn, server, now=_LATER)
    assert (report.cached, report.batched) == (10, 20)
    server.finish("msgbatch_2")
    assert ask(conn, server, now=_LATER + timedelta(hours=2)).cached == 20
    assert open_titles(conn) == []


@pytest.mark.parametrize("problem", ["errored", "refused", "cut short", "invalid"])
def test_a_request_without_an_answer_is_asked_at_once_in_halves(
    conn: Connection, server: AnthropicServer, problem: str
) -> None:
    _backlog_of(conn)
    ask(conn, server)
    batch = server.batches[_only(server)]
    first = batch.requests[0]["custom_id"]
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
    message = server.message(batch.requests[0]["params"])
    results: dict[str, dict[str, Any]] = {
        "errored": {"type": "errored", "error": error},
        "refused": {"type": "succeeded", "message": {**message, "stop_reason": "refusal"}},
        "cut short": {"type": "succeeded", "message": {**message, "stop_reason": "max_tokens"}},
        "invalid": {"type": "succeeded", "message": {**message, "content": []}},
    }
    server.finish(batch.id, **{first: results[problem]})
    report = ask(conn, server, now=_LATER)
    assert (report.cached, report.answered, report.batched) == (20, 10, 0)
    assert open_titles(conn) == []


def test_a_batch_that_is_gone_is_asked_about_anew(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    ask(conn, server)
    server.batches.clear()
    report = ask(conn, server, now=_LATER)
    assert (report.batched, len(server.batches)) == (30, 1)


def test_results_that_cannot_be_read_now_are_read_later(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    ask(conn, server)
    server.finish(_only(server))
    server.served.faults.append(Fault(match="/results", status=200, body=b'{"custom', cut=True))
    assert ask(conn, server, now=_LATER).stopped is not None
    failures = [used.failures for used in usage_on(conn, _LATER.date())]
    assert failures == [1], "`lightfast models` shows it"
    assert ask(conn, server, now=_LATER + timedelta(hours=1)).cached == 30
    assert server.questions == []


def test_a_batch_is_as_large_as_the_budget_allows(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    report = ask(conn, server, daily_tokens=10_000)
    assert report.stopped == "the budget of 10,000 tokens a day is used up"
    assert (report.batched, report.waiting) == (20, 10)
    [usage] = usage_on(conn, NOW.date())
    assert usage.tokens <= 10_000


def test_a_removed_workspace_takes_its_part_of_a_batch_with_it(
    conn: Connection, server: AnthropicServer
) -> None:
    _backlog_of(conn)
    ask(conn, server)
    for table in (
        "raw_queue",
        "observation_sources",
        "observation_facts",
        "integrations",
        "workspaces",
    ):
        conn.execute(f"DELETE FROM lightfast.{table}")
    conn.commit()
    server.finish(_only(server))
    report = ask(conn, server, now=_LATER)
    assert (report.cached, report.batched, report.stopped) == (0, 0, None)
    assert _open_batches(conn) == 0
