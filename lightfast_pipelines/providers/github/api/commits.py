"""Commits of the default branch: each as a push that brings it alone.

Its day is that of its committing, by which GitHub lists commits; what is remembered of it has the
author's time. Which files it touches the list does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightfast_pipelines.providers.api_contract import LinkedResource, Record, Window
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    Listing,
    iso,
    kept,
    needed_time,
)
from lightfast_pipelines.providers.github.api.place import repository


def records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    sha, told = item["sha"], item["commit"]
    branch = _branch(place)
    commit = {
        "id": sha,
        "message": told["message"],
        "timestamp": told["author"]["date"],
        "url": item.get("html_url"),
        "author": _person(told["author"], child(item, "author")),
        "committer": _person(told.get("committer") or {}, child(item, "committer")),
    }
    yield Record(
        "push",
        {
            "ref": f"refs/heads/{branch}",
            # A push that leads nowhere would be the branch's deletion.
            "after": sha,
            "repository": repository(place),
            "head_commit": commit,
            "commits": [commit],
        },
        needed_time(told.get("committer") or told["author"], "date"),
        f"backfill:commit:{sha}",
    )


def _person(person: ListedItem, account: ListedItem) -> dict[str, Any]:
    """With the login where GitHub knows the address as an account's, as a push says it."""
    found = kept(person, "name", "email", "date")
    login = name_of(account, "login")
    return {**found, "username": login} if login else found


def _branch(place: LinkedResource) -> str:
    found = place.meta.get("default_branch")
    if not isinstance(found, str) or not found:
        raise ValueError(
            f"the default branch of repository {place.resource_id} is not known: GitHub did not tell it"
        )
    return found


def _params(place: LinkedResource, window: Window) -> dict[str, str]:
    return {"sha": _branch(place), "since": iso(window.since), "until": iso(window.until)}


WALKER = Listing("commit", "commits", _params, records)
