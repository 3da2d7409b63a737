"""A short history of one repository, as lines of a file, for tests that grow it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.providers.github.payloads import commit, pull_request, push

REPOSITORY = 1_227_688_617
NAME = "acme/shop"
_PEOPLE = (
    "ada",
    "ben",
    "cem",
    "dot",
    "eve",
    "fay",
    "gus",
    "hal",
    "ida",
    "jon",
    "kim",
    "lea",
    "max",
)
_WORDS = ("cart", "total", "price", "order", "refund", "stock", "label", "search", "login", "mail")


def lines(pull_requests: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """Pull requests, each with a commit that is pushed and with its end; one person does half of it."""
    for number in range(first, first + pull_requests):
        opened = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=31 * number)
        author = _PEOPLE[number % len(_PEOPLE)] if number % 2 else "ada"
        word, other = _WORDS[number % 10], _WORDS[number // 10 % 10]
        title = f"Change the {word} of the {other}, part {number}"
        common: dict[str, Any] = {
            "repo": NAME,
            "repo_id": REPOSITORY,
            "number": number,
            "title": title,
            "author": author,
            "sender": author,
            "created_at": _text(opened),
            "head": f"{word}-{number}",
        }
        yield _line("pull_request", f"{number}-opened", opened, pull_request("opened", **common))
        pushed = opened + timedelta(hours=1)
        work = commit(
            f"{title}\n\nSee #{max(1, number - 3)}.",
            at=_text(pushed),
            author=author.title(),
            email=f"{author}@acme.test",
            modified=(f"shop/{word}.py", f"shop/{other}.py"),
            repo=NAME,
        )
        payload = push([work], repo=NAME, repo_id=REPOSITORY, sender=author)
        yield _line("push", f"{number}-pushed", pushed, payload)
        if number % 7:
            closed = opened + timedelta(hours=20)
            ended = pull_request("closed", merged=bool(number % 5), at=_text(closed), **common)
            yield _line("pull_request", f"{number}-closed", closed, ended)


def _line(event: str, delivery: str, at: datetime, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": event,
        "delivery_id": delivery,
        "received_at": _text(at),
        "payload": payload,
    }


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
