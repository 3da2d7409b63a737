"""Commits of the default branch, each as a push of that commit alone.

A record's day is the commit's date, by which GitHub lists commits; its observation has the author's
time. The list does not include the changed files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightfast_pipelines.providers.api_contract import LinkedResource, Record, Window
from lightfast_pipelines.providers.fields import child, children, name_of
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    Listing,
    iso,
    kept,
    needed_time,
)
from lightfast_pipelines.providers.github.api.place import repository


def records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    sha, commit = item["sha"], item["commit"]
    branch = _branch(place)
    commit = {
        "id": sha,
        "message": commit["message"],
        "timestamp": commit["author"]["date"],
        "url": item.get("html_url"),
        "author": _person(commit["author"], child(item, "author")),
        "committer": _person(commit.get("committer") or {}, child(item, "committer")),
    }
    if isinstance(item.get("parents"), list):
        # A push does not have them.
        commit["parents"] = [kept(parent, "sha") for parent in children(item, "parents")]
    yield Record(
        "push",
        {
            "ref": f"refs/heads/{branch}",
            # A push without an `after` would be the deletion of the branch.
            "after": sha,
            "repository": repository(place),
            "head_commit": commit,
            "commits": [commit],
        },
        needed_time(commit.get("committer") or commit["author"], "date"),
        f"backfill:commit:{sha}",
    )


def _person(person: ListedItem, account: ListedItem) -> dict[str, Any]:
    """With the login, as in a push, if GitHub knows whose address it is."""
    fields = kept(person, "name", "email", "date")
    login = name_of(account, "login")
    return {**fields, "username": login} if login else fields


def _branch(place: LinkedResource) -> str:
    branch = place.meta.get("default_branch")
    if not isinstance(branch, str) or not branch:
        raise ValueError(
            f"the default branch of repository {place.resource_id} is not known: GitHub did not tell it"
        )
    return branch


def _params(place: LinkedResource, window: Window) -> dict[str, str]:
    return {"sha": _branch(place), "since": iso(window.since), "until": iso(window.until)}


WALKER = Listing("commit", "commits", _params, records)
