"""Pull requests from their list: opened, and merged or closed, each with its own time.

The issue events (`events.py`) say who merged or closed it, but do not know its branches: both are
records of one fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightfast_pipelines.providers.api_contract import LinkedResource, Record
from lightfast_pipelines.providers.fields import child, time
from lightfast_pipelines.providers.github.api.listing import ListedItem, Listing, kept, needed_time
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import repository


def records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    number, opened_at = item["number"], needed_time(item, "created_at")
    yield Record(
        "pull_request",
        {
            "action": "opened",
            "number": number,
            "pull_request": {
                **_lasting(item, with_sha=False),
                "state": "open",
                "updated_at": item["created_at"],
                "merged": False,
            },
            "repository": repository(place),
            "sender": person(item["user"]),
        },
        opened_at,
        f"backfill:pull-request:{place.resource_id}#{number}:opened",
    )
    merged_at, closed_at = time(item, "merged_at"), time(item, "closed_at")
    ended_at = merged_at or closed_at
    if ended_at is None:
        return
    end = item["merged_at"] if merged_at else item["closed_at"]
    pull: dict[str, Any] = {
        **_lasting(item, with_sha=True),
        "state": "closed",
        "updated_at": end,
        "closed_at": end,
        "merged": merged_at is not None,
    }
    if merged_at:
        pull |= {"merged_at": end, **kept(item, "merge_commit_sha")}
    yield Record(
        "pull_request",
        {
            "action": "closed",
            "number": number,
            "pull_request": pull,
            "repository": repository(place),
        },
        ended_at,
        f"backfill:pull-request:{place.resource_id}#{number}:{'merged' if merged_at else 'closed'}@{end}",
    )


def _lasting(item: ListedItem, *, with_sha: bool) -> dict[str, Any]:
    """The fields that hold at any time. The list's head commit (`with_sha`) is right only for the end."""
    head, base = child(item, "head"), child(item, "base")
    place_of_head = kept(head, "ref", "sha") if with_sha else kept(head, "ref")
    fork = child(head, "repo")
    if fork:
        place_of_head["repo"] = kept(fork, "id", "full_name", "html_url")
    return {
        **kept(item, "id", "number", "title", "body", "html_url", "created_at"),
        "user": person(item["user"]),
        "head": place_of_head,
        "base": kept(base, "ref"),
    }


WALKER = Listing(
    "pull_request",
    "pulls",
    lambda _place, _window: {"state": "all", "sort": "updated", "direction": "desc"},
    records,
    ordered_by="updated_at",
)
