"""Outages are nobody's fault, a content at fault falls back alone, and no event is lost to either."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.model_usage import usage_on
from tests.capture.deliveries import capture_all, one, rows, workspace_with
from tests.language.asked import NOW, ask, by_title, categories, issues, open_titles
from tests.servers.anthropic import AnthropicServer, labelled
from tests.servers.serving import Fault

_FAULTS: dict[str, Callable[[], Fault]] = {
    "429": lambda: Fault(times=9, status=429, headers={"retry-after": "600"}),
    "500": lambda: Fault(times=9, status=500),
    "529": lambda: Fault(times=9, status=529),
    "truncated": lambda: Fault(times=9, status=200, truncated=True),
    "cut": lambda: Fault(times=9, status=200, cut=True),
    "hangs": lambda: Fault(times=1, hangs=True),
    "401": lambda: Fault(times=9, status=401),
}


@pytest.mark.parametrize("fault", list(_FAULTS))
def test_an_outage_leaves_every_event_there_and_is_asked_about_later(
    conn: Connection, server: AnthropicServer, fault: str
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish", "docs: explain goods")
    before = digest_lines(conn)
    server.served.faults.append(_FAULTS[fault]())
    report = ask(conn, server)
    assert report.stopped is not None
    assert (report.answered, report.waiting) == (0, 2)
    assert digest_lines(conn) == before
    assert rows(conn, "SELECT count(*) FROM lightfast.model_answers") == [(0,)]
    [usage] = usage_on(conn, NOW.date())
    assert (usage.failures, usage.last_error is not None) == (1, True)
    server.served.faults.clear()
    # It is left alone for a while, then asked again.
    asked = server.served.count()
    paused = ask(conn, server, now=NOW + timedelta(seconds=5))
    assert "paused until" in str(paused.stopped)
    assert server.served.count() == asked
    assert ask(conn, server, now=NOW + timedelta(minutes=11)).answered == 2
    assert rows(conn, "SELECT count(*) FROM lightfast.model_pauses") == [(0,)]


def test_a_pause_lasts_an_hour_at_most_whatever_the_service_asks_for(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    server.served.faults.append(Fault(status=429, headers={"retry-after": "1e300"}))
    assert ask(conn, server).stopped is not None
    assert one(conn, "SELECT until FROM lightfast.model_pauses") == NOW + timedelta(hours=1)


def test_pauses_grow_while_the_outage_lasts(conn: Connection, server: AnthropicServer) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    server.served.faults.append(Fault(times=99, status=529))
    now = NOW
    lengths = []
    for _ in range(10):
        ask(conn, server, now=now)
        until = one(conn, "SELECT until FROM lightfast.model_pauses")
        lengths.append((until - now).total_seconds())
        now = until
    assert lengths[:4] == [30, 60, 120, 240]
    assert lengths[-1] == 3_600


def test_a_refused_content_falls_back_alone_and_for_good(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(7)), "Exploit of the cart")
    honest = labelled("feature")

    def answer(entries: list[dict[str, Any]]) -> Any:
        refuses = any("Exploit" in entry["title"] for entry in entries)
        server.stop_reason = "refusal" if refuses else "end_turn"
        return "" if refuses else honest(entries)

    server.answer = answer
    local = categories(conn)["Exploit of the cart"]
    report = ask(conn, server)
    assert (report.answered, dict(report.fallbacks)) == (7, {"refused": 1})
    assert report.requests == 7  # 8 contents, then in halves: 4 and 4, 2 and 2, 1 and 1
    assert categories(conn)["Exploit of the cart"] == local
    asked = server.served.count()
    assert ask(conn, server, now=NOW + timedelta(days=9)).requests == 0
    rebuild(conn)
    conn.commit()
    capture_all(conn)
    assert ask(conn, server).requests == 0
    assert server.served.count() == asked


@pytest.mark.parametrize(
    "bad", [{"category": "pwned"}, {"category": None}, {"n": 99}, {"n": "1"}, {"category": []}]
)
def test_an_invalid_answer_falls_back_alone_and_is_asked_again_three_times_in_all(
    conn: Connection, server: AnthropicServer, bad: dict[str, Any]
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish", "Odd thing")
    server.answer = by_title(Goods={"category": "incident"}, Odd=bad)
    report = ask(conn, server)
    assert (report.answered, dict(report.fallbacks)) == (1, {"invalid": 1})
    assert categories(conn)["Goods vanish"] == "incident"
    assert open_titles(conn) == ["Odd thing"]
    # Not at once, and with something else to show that the model is well.
    assert ask(conn, server, now=NOW + timedelta(minutes=59)).requests == 0
    for hours in (1, 6):
        issues(conn, f"Goods again {hours}", first=10 + hours)
        later = ask(conn, server, now=NOW + timedelta(hours=hours, minutes=1))
        assert dict(later.fallbacks) == {"invalid": 1}
    assert one(
        conn, "SELECT attempts, retry_at FROM lightfast.model_answers WHERE answer IS NULL"
    ) == (
        3,
        None,
    )
    assert ask(conn, server, now=NOW + timedelta(days=30)).requests == 0
    assert open_titles(conn) == []


def test_answers_that_are_never_of_use_are_an_outage_and_nobodys_fault(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(40)))
    server.answer = lambda _entries: "Certainly! Here is what I think."
    report = ask(conn, server)
    assert report.requests == 7
    assert "7 answers in a row are of no use: invalid" in str(report.stopped)
    assert rows(conn, "SELECT count(*) FROM lightfast.model_answers") == [(0,)]
    server.answer = labelled()
    assert ask(conn, server, now=NOW + timedelta(minutes=1)).answered == 40


def test_a_lone_content_is_not_blamed_while_nothing_else_succeeds(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Odd thing")
    server.answer = lambda _entries: "{"
    assert "of no use" in str(ask(conn, server).stopped)
    assert rows(conn, "SELECT count(*) FROM lightfast.model_answers") == [(0,)]


def test_an_answer_that_is_cut_short_is_asked_for_in_halves(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(4)))
    honest = labelled("feature")

    def answer(entries: list[dict[str, Any]]) -> Any:
        server.stop_reason = "max_tokens" if len(entries) > 2 else "end_turn"
        return '{"entries": [{"n": 1, "cat' if len(entries) > 2 else honest(entries)

    server.answer = answer
    report = ask(conn, server)
    assert (report.answered, report.requests, len(report.fallbacks)) == (4, 3, 0)


def test_a_prompt_that_the_provider_does_not_take_is_asked_in_halves(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(4)))
    server.served.faults.append(Fault(status=413, body={"error": {"message": "too large"}}))
    report = ask(conn, server)
    assert (report.answered, report.requests) == (4, 3)
    [usage] = usage_on(conn, NOW.date())
    assert (usage.failures, usage.requests, usage.reserved_tokens) == (1, 3, 0)


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_characters_that_no_column_can_hold_cost_nothing_but_themselves(
    conn: Connection, server: AnthropicServer, character: str
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish from carts")
    entity = {"kind": "service", "name": "carts", "quote": f"from{character} carts"}
    server.answer = labelled("performance", topics=[f"go{character}ods"], entities=[entity])
    report = ask(conn, server)
    assert (report.answered, report.waiting, report.stopped) == (1, 0, None)
    assert set(categories(conn).values()) == {"performance"}
