"""Issues from their list: opened, and closed. The issue events say who closed them."""

from __future__ import annotations

from collections.abc import Iterator

from lightfast_pipelines.providers.api_contract import LinkedResource, Record
from lightfast_pipelines.providers.fields import child, time
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    Listing,
    iso,
    kept,
    needed_time,
)
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import repository


def records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    """No records for a pull request, which is in GitHub's list of issues as well."""
    if child(item, "pull_request"):
        return
    number = item["number"]
    fields = kept(item, "id", "number", "title", "body", "html_url", "created_at")
    fields["user"] = person(item["user"])
    yield Record(
        "issues",
        {
            "action": "opened",
            "issue": {**fields, "state": "open", "updated_at": item["created_at"]},
            "repository": repository(place),
            "sender": person(item["user"]),
        },
        needed_time(item, "created_at"),
        f"backfill:issue:{place.resource_id}#{number}:opened",
    )
    closed_at = time(item, "closed_at")
    if closed_at is None:
        return
    end = item["closed_at"]
    yield Record(
        "issues",
        {
            "action": "closed",
            "issue": {
                **fields,
                "state": "closed",
                **kept(item, "state_reason"),
                "closed_at": end,
                "updated_at": end,
            },
            "repository": repository(place),
        },
        closed_at,
        f"backfill:issue:{place.resource_id}#{number}:closed@{end}",
    )


WALKER = Listing(
    "issue",
    "issues",
    lambda _, window: {
        "state": "all",
        "sort": "created",
        "direction": "desc",
        "since": iso(window.since),
    },
    records,
)
