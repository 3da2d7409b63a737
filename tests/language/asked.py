"""A captured repository, and a run of the language stage over it against the local server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.language.claude import Claude
from lightfast_pipelines.language.port import Language
from lightfast_pipelines.language.stage import LanguageReport, answer_observations
from lightfast_pipelines.store.database import Connection
from tests.capture.deliveries import capture_all, delivery, receive, rows
from tests.providers.github.payloads import commit, issue, push
from tests.servers.anthropic import KEY, AnthropicServer, entries_of

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def language(server: AnthropicServer, *, daily_tokens: int = 1_000_000) -> Language:
    model = Claude("claude-haiku-5-5", KEY, server.served.url, seconds=0.5, sleep=lambda _: None)
    return Language(model, daily_tokens=daily_tokens)


def ask(
    conn: Connection,
    model: AnthropicServer | Language,
    *,
    now: datetime = NOW,
    most: int = 10_000,
    daily_tokens: int = 1_000_000,
    clock: Callable[[], datetime] | None = None,
) -> LanguageReport:
    """Runs the stage, then captures what it had put into the queue."""
    chosen = (
        language(model, daily_tokens=daily_tokens) if isinstance(model, AnthropicServer) else model
    )
    report = answer_observations(conn, chosen, clock=clock or (lambda: now), max_rows=most)
    capture_all(conn)
    return report


def commits(conn: Connection, *messages: str, repo_id: int = 1, repo: str = "acme/shop") -> None:
    """Captures a push of commits with these messages."""
    made = [commit(message, repo=repo) for message in messages]
    receive(conn, [delivery("push", push(made, repo=repo, repo_id=repo_id))])
    capture_all(conn)


def issues(
    conn: Connection,
    *titles: str,
    first: int = 1,
    body: str = "It is about goods.",
    repo_id: int = 1,
) -> None:
    """Captures issues with these titles; each is significant enough to be asked about."""
    receive(
        conn,
        [
            delivery("issues", issue(number=number, title=title, body=body, repo_id=repo_id))
            for number, title in enumerate(titles, start=first)
        ],
    )
    capture_all(conn)


def categories(conn: Connection) -> dict[str, str]:
    """Title without its tag -> category of all observations."""
    found = rows(conn, "SELECT title, category FROM lightfast.observations ORDER BY id")
    return {title.split("] ")[-1]: category for title, category in found}


def open_titles(conn: Connection) -> list[str]:
    """The observations whose question is open."""
    query = "SELECT title FROM lightfast.observations WHERE question_hash IS NOT NULL ORDER BY id"
    return [title.split("] ")[-1] for (title,) in rows(conn, query)]


def titles_asked(server: AnthropicServer) -> Sequence[list[str]]:
    """The titles in each request, in order."""
    return [[entry["title"] for entry in entries_of(body)] for body in server.questions]


def by_title(**answers: dict[str, Any]) -> Callable[[list[dict[str, Any]]], Any]:
    """Answers each entry by the first word of its title; `other` for the rest."""

    def answer(entries: list[dict[str, Any]]) -> Any:
        empty: dict[str, Any] = {"category": "other", "topics": [], "entities": []}
        return {
            "entries": [
                {"n": entry["n"], **empty, **answers.get(entry["title"].split()[0], {})}
                for entry in entries
            ]
        }

    return answer
