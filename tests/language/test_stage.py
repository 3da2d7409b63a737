"""Answers reach observations through capture, are paid for once, and never keep an event from being there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.language.port import NO_LANGUAGE
from lightfast_pipelines.language.stage import answer_observations
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.model_usage import tokens_used, usage_on
from tests.capture.deliveries import capture_all, delivery, one, receive, rows, workspace_with
from tests.language.asked import (
    NOW,
    ask,
    by_title,
    categories,
    commits,
    issues,
    language,
    open_titles,
    titles_asked,
)
from tests.providers.github.payloads import pull_request
from tests.servers.anthropic import AnthropicServer, labelled

_MENTIONS = """
SELECT e.key, m.evidence, m.extractor FROM lightfast.observation_entities m
JOIN lightfast.entities e ON e.id = m.entity_id WHERE m.extractor = 'anthropic' ORDER BY 1
"""


def test_an_answer_becomes_category_topics_and_mentions(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish", body="They vanish when Redis restarts.")
    quote = {"kind": "service", "name": "Redis", "quote": "when Redis restarts"}
    server.answer = labelled("incident", topics=["redis"], entities=[quote])
    report = ask(conn, server)
    assert (report.asked, report.answered, report.requests, report.stopped) == (1, 1, 1, None)
    assert one(conn, "SELECT category, topics[1:2] FROM lightfast.observations") == (
        "incident",
        ["incident", "redis"],
    )
    assert rows(conn, _MENTIONS) == [("service:redis", "when Redis restarts", "anthropic")]
    assert open_titles(conn) == []


def test_many_observations_share_a_request_and_the_most_significant_come_first(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(25)), "Critical security problem")
    report = ask(conn, server)
    first, second = titles_asked(server)
    assert first[0] == "Critical security problem"
    assert (len(first), len(second), report.requests) == (20, 6, 2)
    assert report.waiting == 0


def test_transitions_of_one_text_are_asked_about_once(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    for action, merged in (("opened", False), ("closed", True)):
        receive(conn, [delivery("pull_request", pull_request(action, merged=merged))])
    capture_all(conn)
    assert len(open_titles(conn)) == 2
    server.answer = labelled("performance")
    report = ask(conn, server)
    assert (report.asked, titles_asked(server)) == (2, [["Add a cart"]])
    assert set(categories(conn).values()) == {"performance"}


def test_under_the_workspaces_threshold_no_model_is_asked(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    conn.execute("""UPDATE lightfast.workspaces SET settings = '{"significance_threshold": 60}'""")
    issues(conn, "Add a cart", "Critical security problem")
    ask(conn, server)
    assert titles_asked(server) == [["Critical security problem"]]
    assert open_titles(conn) == ["Add a cart"]


def test_a_rebuild_pays_nothing_and_gives_the_same_memory(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish", "Goods return")
    server.answer = by_title(Goods={"category": "incident", "topics": ["goods"]})
    ask(conn, server)
    before, asked = digest_lines(conn, knowledge=True), server.served.count()
    rebuild(conn)
    conn.commit()
    capture_all(conn)
    assert digest_lines(conn, knowledge=True) == before
    assert ask(conn, server).requests == 0
    assert server.served.count() == asked
    # Without a key as well: the answers are inputs like the deliveries.
    assert set(categories(conn).values()) == {"incident"}


def test_the_same_content_later_and_in_another_order_gets_the_same_answer_for_nothing(
    conn: Connection, new_database: Callable[[], Database], server: AnthropicServer
) -> None:
    titles = ("Goods vanish", "Goods return", "Prices fall")
    server.answer = by_title(Goods={"category": "incident"}, Prices={"category": "performance"})
    workspace_with(conn)
    issues(conn, *titles)
    ask(conn, server)
    answers = rows(conn, "SELECT to_jsonb(a) FROM lightfast.model_answers a")
    asked = server.served.count()
    for order in itertools.permutations(enumerate(titles, start=1)):
        with new_database().connect("pipeline") as other:
            workspace_with(other)
            for (answer,) in answers:
                other.execute(
                    """
                    INSERT INTO lightfast.model_answers
                    SELECT * FROM jsonb_populate_record(NULL::lightfast.model_answers, %s::jsonb)
                    """,
                    (json.dumps(answer),),
                )
            for number, title in order:
                issues(other, title, first=number)
            assert digest_lines(other) == digest_lines(conn)
            assert ask(other, server).requests == 0
    assert server.served.count() == asked


def test_no_request_exceeds_the_days_budget_and_the_next_day_has_its_own(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, *(f"Idea number {n}" for n in range(60)))
    server.usage["input_tokens"] = 4_000
    report = ask(conn, server, daily_tokens=11_000)
    assert report.stopped == "the budget of 11,000 tokens a day is used up"
    assert (report.requests, report.answered, report.waiting) == (1, 20, 40)
    assert tokens_used(conn, NOW.date(), "anthropic") == 4_940
    assert ask(conn, server, daily_tokens=11_000).requests == 0
    tomorrow = NOW + timedelta(days=1)
    assert ask(conn, server, daily_tokens=11_000, now=tomorrow).answered == 20


def test_a_budget_of_nothing_asks_nothing(conn: Connection, server: AnthropicServer) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    assert ask(conn, server, daily_tokens=0).requests == 0
    assert server.served.count() == 0


def test_what_a_killed_run_asked_counts_against_the_budget(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")

    def killed(_entries: list[dict[str, Any]]) -> Any:
        raise KeyboardInterrupt

    class Killed:
        provider, name = "anthropic", "claude-haiku-5-5"

        def ask(self, prompt: Any) -> Any:
            killed([])

    chosen = language(server)
    with pytest.raises(KeyboardInterrupt):
        ask(conn, type(chosen)(Killed(), daily_tokens=10_000))  # type: ignore[arg-type]
    conn.rollback()
    [usage] = usage_on(conn, NOW.date())
    assert usage.reserved_tokens == usage.tokens > 0
    assert ask(conn, server).answered == 1


def test_tenants_share_neither_requests_nor_answers(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn, "shop", 1)
    workspace_with(conn, "store", 2, org_id="other")
    issues(conn, "Goods vanish", repo_id=1)
    issues(conn, "Goods vanish", repo_id=2)
    server.answer = labelled("incident")
    report = ask(conn, server)
    assert titles_asked(server) == [["Goods vanish"], ["Goods vanish"]]
    assert (report.asked, report.answered) == (2, 2)
    query = "SELECT count(DISTINCT workspace_id) FROM lightfast.model_answers"
    assert one(conn, query) == 2


def test_an_edited_text_is_asked_about_anew(conn: Connection, server: AnthropicServer) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    ask(conn, server)
    issues(conn, "Goods vanish", first=2, body="And they never return.")
    assert open_titles(conn) == ["Goods vanish"]
    assert ask(conn, server).asked == 1


def test_a_deleted_observation_is_not_asked_about(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    conn.execute("UPDATE lightfast.observation_facts SET is_deleted = true")
    conn.commit()
    assert ask(conn, server).requests == 0


def test_a_commits_files_are_part_of_the_question(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    conn.execute("""UPDATE lightfast.workspaces SET settings = '{"significance_threshold": 0}'""")
    commits(conn, "Make it better at last")
    ask(conn, server)
    [sent] = server.questions
    assert "shop/cart.py" in sent["messages"][0]["content"]
    assert open_titles(conn) == []


def test_an_answer_stored_meanwhile_is_applied_without_asking(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    content_hash = one(conn, "SELECT question_hash FROM lightfast.observations")
    conn.execute(
        """
        INSERT INTO lightfast.model_answers
          (workspace_id, purpose, content_hash, prompt_version, model, answer)
        SELECT id, 'observations', %s, 1, 'm', '{"category": "incident"}' FROM lightfast.workspaces
        """,
        (content_hash,),
    )
    conn.commit()
    report = ask(conn, server)
    assert (report.requests, report.cached) == (0, 1)
    assert categories(conn)["Goods vanish"] == "incident"


def test_without_a_model_nothing_is_asked_and_the_reason_is_named(
    conn: Connection, server: AnthropicServer
) -> None:
    workspace_with(conn)
    issues(conn, "Goods vanish")
    report = answer_observations(conn, NO_LANGUAGE, clock=lambda: NOW, max_rows=10)
    assert (report.stopped, report.waiting) == ("ANTHROPIC_API_KEY is not set", 1)
    assert server.served.count() == 0
