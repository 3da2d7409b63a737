"""Releases from their list: published, or drafted. There are few, so the whole list is read."""

from __future__ import annotations

from collections.abc import Iterator

from lightfast_pipelines.providers.api_contract import LinkedResource, Record
from lightfast_pipelines.providers.fields import flag, time
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    Listing,
    kept,
    needed_time,
    nothing,
)
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import repository

_FIELDS = (
    *("id", "tag_name", "target_commitish", "name", "body", "html_url"),
    *("created_at", "published_at", "prerelease", "draft"),
)


def records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    """GitHub does not say who published a release: the author is the person who drafted it."""
    published = flag(item, "draft") is not True and time(item, "published_at") is not None
    action, field = ("published", "published_at") if published else ("created", "created_at")
    release = {**kept(item, *_FIELDS), "author": person(item.get("author"))}
    yield Record(
        "release",
        {"action": action, "release": release, "repository": repository(place)},
        needed_time(item, field),
        f"backfill:release:{item['id']}:{action}",
    )


WALKER = Listing("release", "releases", nothing, records)
