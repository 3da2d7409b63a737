"""Comments on issues, on pull requests and on lines of pull requests: when they were written.

The lists name the issue or pull request only by its address, without its title.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightfast_pipelines.providers.api_contract import LinkedResource, Record, Window
from lightfast_pipelines.providers.fields import text
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    Listing,
    iso,
    kept,
    needed_time,
)
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import repository

_COMMENT = ("id", "node_id", "html_url", "body", "created_at", "author_association")
_LINES = ("path", "pull_request_review_id", "in_reply_to_id", "side", "diff_hunk")


def issue_comments(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    number = _number(item, "issue_url")
    page = (text(item, "html_url") or "").partition("#")[0]
    issue: dict[str, Any] = {"number": number, "html_url": page}
    if "/pull/" in page:
        issue["pull_request"] = {"html_url": page}
    yield _record(place, item, "issue_comment", {"issue": issue}, _COMMENT)


def review_comments(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    number = _number(item, "pull_request_url")
    page = (text(item, "html_url") or "").partition("#")[0]
    pull = {"number": number, "html_url": page}
    fields = (*_COMMENT, *_LINES)
    yield _record(place, item, "pull_request_review_comment", {"pull_request": pull}, fields)


def _record(
    place: LinkedResource,
    item: ListedItem,
    event: str,
    about: dict[str, Any],
    fields: tuple[str, ...],
) -> Record:
    created_at = needed_time(item, "created_at")
    return Record(
        event,
        {
            "action": "created",
            "comment": {
                **kept(item, *fields),
                **_first_lines(item),
                "user": person(item["user"]),
                "updated_at": item["created_at"],
            },
            **about,
            "repository": repository(place),
            "sender": person(item["user"]),
        },
        created_at,
        f"backfill:{event}:{item['id']}",
    )


def _first_lines(item: ListedItem) -> dict[str, Any]:
    """The line and commit that the comment was written on; GitHub's other fields change with every push."""
    lines = {name: item.get(f"original_{name}") or item.get(name) for name in ("line", "commit_id")}
    return {name: value for name, value in lines.items() if value is not None}


def _number(item: ListedItem, field: str) -> int:
    number = (text(item, field) or "").rpartition("/")[2]
    if not number.isdigit():
        raise ValueError(f"{field} names no number")
    return int(number)


def _since(_: LinkedResource, window: Window) -> dict[str, str]:
    return {"sort": "created", "direction": "desc", "since": iso(window.since)}


ISSUE_COMMENTS = Listing("issue_comment", "issues/comments", _since, issue_comments)
REVIEW_COMMENTS = Listing("review_comment", "pulls/comments", _since, review_comments)
