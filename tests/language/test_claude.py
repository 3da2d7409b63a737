"""Anthropic's real SDK against a local server: what each fault means, and that nothing else is asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightfast_pipelines.domain.language_answers import Question
from lightfast_pipelines.language.claude import Claude, language_of
from lightfast_pipelines.language.observations import prompt_about
from lightfast_pipelines.language.port import (
    ModelUnavailableError,
    PromptRejectedError,
    TokenCounts,
)
from lightfast_pipelines.settings import Settings
from tests.servers.anthropic import KEY, AnthropicServer, entries_of
from tests.servers.serving import Fault

_PROMPT = prompt_about([Question("commit", "Add a cart", "It holds goods.", ("cart.py",))])


def _claude(
    server: AnthropicServer, *, key: str = KEY, waited: list[float] | None = None
) -> Claude:
    return Claude(
        "claude-haiku-5-5",
        key,
        server.served.url,
        seconds=0.5,
        sleep=(lambda _: None) if waited is None else waited.append,
    )


def test_a_prompt_has_a_closed_schema_no_tools_and_a_system_prompt_to_cache(
    server: AnthropicServer,
) -> None:
    reply = _claude(server).ask(_PROMPT)
    assert reply.ending == "complete"
    assert reply.tokens == TokenCounts(input=1_000, output=40, cached=900)
    [sent] = server.questions
    assert sent["model"] == "claude-haiku-5-5"
    assert sent["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert sent["output_config"]["format"]["schema"]["additionalProperties"] is False
    assert "tools" not in sent
    [entry] = entries_of(sent)
    assert entry["title"] == "Add a cart"
    assert entry["files"] == ["cart.py"]


@pytest.mark.parametrize(
    ("fault", "message", "requests"),
    [
        (Fault(times=9, status=529), "529", 2),
        (Fault(times=9, status=500, body=b"<html>"), "500", 2),
        (Fault(times=9, status=429, headers={"retry-after": "120"}), "429", 1),
        (Fault(times=9, status=401), "401", 1),
        (Fault(times=9, status=200, truncated=True), "cannot be read", 1),
        (Fault(times=9, status=200, body=b"{}"), "cannot be read", 1),
        (Fault(times=9, status=200, body=b"<html>", headers={"content-type": "text/html"}),
         "cannot be read", 1),
        (Fault(times=9, status=200, cut=True), "cut", 1),
        (Fault(times=9, hangs=True), "in time", 1),
    ],
    ids=["529", "500", "429", "401", "truncated", "empty", "html", "cut", "hangs"],
)  # fmt: skip
def test_an_outage_is_nobodys_fault_and_is_not_paid_twice(
    server: AnthropicServer, fault: Fault, message: str, requests: int
) -> None:
    server.served.faults.append(fault)
    with pytest.raises(ModelUnavailableError, match=message) as raised:
        _claude(server).ask(_PROMPT)
    server.served.faults.clear()
    if not fault.hangs:  # such a request is noted when the server ends
        assert server.served.count("POST") == requests
    # Whether tokens may have been used is known only for errors that the API itself reports.
    assert raised.value.maybe_paid == (fault.status == 200 or fault.hangs)


def test_a_passing_error_is_tried_once_more_after_a_moment(server: AnthropicServer) -> None:
    waited: list[float] = []
    server.served.faults.append(Fault(status=429, headers={"retry-after": "2"}))
    assert _claude(server, waited=waited).ask(_PROMPT).ending == "complete"
    assert waited == [2.0]


def test_a_long_retry_after_is_handed_on_instead_of_slept(server: AnthropicServer) -> None:
    waited: list[float] = []
    server.served.faults.append(Fault(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(ModelUnavailableError) as raised:
        _claude(server, waited=waited).ask(_PROMPT)
    assert (raised.value.retry_after, waited) == (3600.0, [])


def test_without_a_server_the_model_is_unavailable_and_nothing_was_paid() -> None:
    claude = Claude("claude-haiku-5-5", KEY, "http://127.0.0.1:9", sleep=lambda _: None)
    with pytest.raises(ModelUnavailableError, match="no connection") as raised:
        claude.ask(_PROMPT)
    assert raised.value.maybe_paid is False


def test_a_prompt_that_is_too_large_is_the_prompts_fault(server: AnthropicServer) -> None:
    server.served.faults.append(
        Fault(status=413, body={"error": {"type": "request_too_large", "message": "too large"}})
    )
    with pytest.raises(PromptRejectedError, match="too large"):
        _claude(server).ask(_PROMPT)


def test_no_message_shows_the_key(server: AnthropicServer) -> None:
    wrong = KEY[:-1] + "x"
    server.served.faults.append(
        Fault(
            status=401,
            body={"error": {"type": "authentication_error", "message": f"invalid key {wrong}"}},
        )
    )
    claude = _claude(server, key=wrong)
    with pytest.raises(ModelUnavailableError) as raised:
        claude.ask(_PROMPT)
    assert "invalid key" in str(raised.value)
    assert wrong not in f"{raised.value} {claude!r}"


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("refusal", "refused"),
        ("max_tokens", "cut short"),
        ("model_context_window_exceeded", "cut short"),
        ("end_turn", "complete"),
    ],
)
def test_a_reply_says_how_it_ended(server: AnthropicServer, reason: str, ending: str) -> None:
    server.stop_reason = reason
    assert _claude(server).ask(_PROMPT).ending == ending


def test_a_batch_is_submitted_once_and_read_when_it_is_over(server: AnthropicServer) -> None:
    claude = _claude(server)
    submitted = claude.submit({"a": _PROMPT, "b": _PROMPT, "c": _PROMPT, "d": _PROMPT})
    assert (submitted.requests, submitted.is_over) == (4, False)
    assert claude.recent_batches(datetime(2026, 5, 4, tzinfo=UTC)) == [submitted]
    assert claude.recent_batches(datetime(2026, 5, 5, tzinfo=UTC)) == []
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
    server.finish(
        submitted.id, b={"type": "expired"}, c={"type": "errored", "error": error},
        d={"type": "canceled"},
    )  # fmt: skip
    over = claude.batch(submitted.id)
    assert over is not None
    assert over.is_over
    results = {result.custom_id: result for result in claude.results(submitted.id)}
    assert results["a"].reply is not None
    assert [name for name, result in results.items() if result.rejected] == ["c"]
    assert results["b"].reply is None
    assert results["d"].reply is None


def test_a_lost_batch_is_none_and_lost_submission_is_not_repeated(server: AnthropicServer) -> None:
    claude = _claude(server)
    assert claude.batch("msgbatch_9") is None
    server.served.faults.append(Fault(times=9, status=500))
    with pytest.raises(ModelUnavailableError):
        claude.submit({"a": _PROMPT})
    assert server.served.count("POST /v1/messages/batches") == 1


def test_results_that_are_cut_off_are_read_again_later(server: AnthropicServer) -> None:
    claude = _claude(server)
    submitted = claude.submit({"a": _PROMPT})
    server.finish(submitted.id)
    server.served.faults.append(
        Fault(match="/results", status=200, body=b'{"custom_id": "a"', cut=True)
    )
    with pytest.raises(ModelUnavailableError):
        list(claude.results(submitted.id))
    assert [result.custom_id for result in claude.results(submitted.id)] == ["a"]


def test_without_a_key_there_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    off = language_of(Settings())
    assert (off.model, off.off) == (None, "ANTHROPIC_API_KEY is not set")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("LIGHTFAST_ANTHROPIC_DAILY_TOKENS", "5000")
    on = language_of(Settings())
    assert on.model is not None
    assert (on.model.name, on.daily_tokens, on.off) == ("claude-haiku-5-5", 5_000, None)
    assert KEY not in repr(on)
