"""Finds which issues, comments, discussions, releases and deployments of a repository still exist.

A hundred a request: issues and discussions by GraphQL, which has a rate limit of its own, the others
by the lists of the REST API. An item that is not listed is fetched alone before it counts as deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from lightfast_pipelines.domain import keys
from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Json,
    LinkedResource,
    Record,
)
from lightfast_pipelines.providers.fields import child, children, flag, name_of, whole
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.api.discussion_sweep import DiscussionComments
from lightfast_pipelines.providers.github.api.graph import repository_in
from lightfast_pipelines.providers.github.api.place import address, owner_and_name, repository
from lightfast_pipelines.providers.recovery_contract import (
    EntityPage,
    EntityScope,
    IdSweep,
    KnownEntity,
)

_PAGE = 100
_QUERY = """
query($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    databaseId
    %s(first: 100, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      nodes { number databaseId }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
_ONE = """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { databaseId discussion(number: $number) { number } }
}
"""


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _about(place: LinkedResource, thing: KnownEntity) -> Json:
    """The repository as the latest payload shows it."""
    stored_repository = deepcopy(dict(child(thing.payload, "repository")))
    if whole(stored_repository, "id") is None:
        return repository(place)
    return stored_repository


def _deleted(
    place: LinkedResource,
    thing: KnownEntity,
    event: str,
    field: str,
    item: Json,
    at: datetime,
    **beside: Any,
) -> Record:
    payload = {
        "action": "deleted",
        **beside,
        field: {**item, "updated_at": _moment(at)},
        "repository": _about(place, thing),
    }
    return Record(event, payload, at, f"sweep:{thing.key}:deleted")


@dataclass(frozen=True, slots=True)
class _Numbered:
    """An `IdSweep` of issues or discussions, by GraphQL's list of their numbers."""

    kind: str
    connection: str
    event: str
    switch: str
    confirm_many: int = 1

    def scope(self, place: LinkedResource) -> EntityScope:
        return EntityScope(f"github:{self.kind}:{place.resource_id}#", f"{self.kind}.")

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        owner, name = owner_and_name(place)
        variables = {"owner": owner, "name": name, "after": cursor and cursor["after"]}
        query = {"query": _QUERY % self.connection, "variables": variables}
        return Call("graphql", "POST", json=query, pool="graphql")

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage:
        listed = repository_in(place, answer).get(self.connection)
        if not isinstance(listed, Mapping) or not isinstance(listed.get("nodes"), list):
            raise ValueError(f"GitHub's list of {self.connection} is not of its form")
        numbers = [whole(node, "number") for node in children(listed, "nodes")]
        page = child(listed, "pageInfo")
        more = flag(page, "hasNextPage") is True
        return EntityPage(
            [self._key(place, number) for number in numbers if number is not None],
            {"after": name_of(page, "endCursor")} if more else None,
        )

    def _key(self, place: LinkedResource, number: int) -> str:
        return f"github:{self.kind}:{place.resource_id}#{number}"

    def resource(self, place: LinkedResource) -> Call | None:
        return Call(address(place))

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        return _why_empty(answer, self.switch)

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        number = _number(things[0])
        if self.kind == "issue":
            return Call(f"{address(place)}/issues/{number}", of_one=True)
        owner, name = owner_and_name(place)
        variables = {"owner": owner, "name": name, "number": number}
        query = {"query": _ONE, "variables": variables}
        return Call("graphql", "POST", json=query, pool="graphql", of_one=True)

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        if answer is None:
            return {things[0].key: None}
        if self.kind == "issue":
            _is_about(answer, "number", _number(things[0]))
            return {}
        if repository_in(place, answer).get("discussion", "") is not None:
            return {}
        refused = [
            error for error in children(answer.data, "errors") if error.get("type") != "NOT_FOUND"
        ]
        if refused:
            raise ValueError(name_of(refused[0], "message") or "GitHub did not say")
        return {things[0].key: None}

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        item = deepcopy(dict(child(thing.payload, self.kind)))
        if not item:
            number = _number(thing)
            item = {"number": number, "title": (thing.name or "").partition(" ")[2]}
        return _deleted(place, thing, self.event, self.kind, item, at)


@dataclass(frozen=True, slots=True)
class _ByList:
    """An `IdSweep` of a list of the REST API in numbered pages, oldest first.

    If an item is deleted during the walk, later items move forward onto a page that was already read.
    Those are found when they are fetched alone.
    """

    kind: str
    path: str
    field: str
    event: str
    confirm_many: int = 1
    sorted_by: str | None = "created"
    switch: str | None = None

    def scope(self, place: LinkedResource) -> EntityScope:
        if self.field == "comment":
            return EntityScope(f"github:comment:{self.kind}:", self.kind, of_parts=True)
        return EntityScope(f"github:{self.kind}:{place.resource_id}:", f"{self.kind}.")

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        order = {"sort": self.sorted_by, "direction": "asc"} if self.sorted_by else {}
        page = str(cursor["page"] if cursor else 1)
        params = {**order, "per_page": str(_PAGE), "page": page}
        return Call(f"{address(place)}/{self.path}", params=params)

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage:
        if not isinstance(answer.data, list):
            raise ValueError(f"GitHub's list of {self.path} is not a list")
        listed = [key for item in answer.data if (key := self._key(place, item)) is not None]
        page = int(cursor["page"]) if cursor else 1
        more = "next" in paging.links(answer.headers) or len(answer.data) == _PAGE
        return EntityPage(listed, {"page": page + 1} if more else None)

    def _key(self, place: LinkedResource, item: Any) -> str | None:
        if self.kind == "release":
            tag = name_of(item, "tag_name")
            return None if tag is None else keys.github_release(place.resource_id, tag)
        number = whole(item, "id")
        if number is None:
            return None
        if self.kind == "deployment":
            return github_keys.deployment(place.resource_id, number)
        return github_keys.comment(self.kind, keys.at_host(number, keys.host_of(place.resource_id)))

    def resource(self, place: LinkedResource) -> Call | None:
        return Call(address(place))

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        return _why_empty(answer, self.switch)

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        identity = things[0].key.split(":", 3)[3]
        if self.kind == "release":
            identity = f"tags/{quote(identity, safe='')}"
        elif self.field == "comment":
            identity = keys.bare_number(identity)
        return Call(f"{address(place)}/{self.path}/{identity}", of_one=True)

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        """A draft release is visible only to people who may write: its absence proves nothing."""
        if answer is None:
            is_draft = flag(child(things[0].payload, "release"), "draft") is True
            return {} if is_draft else {things[0].key: None}
        identity = things[0].key.split(":", 3)[3]
        if self.kind == "release":
            _is_about(answer, "tag_name", identity)
        else:
            _is_about(answer, "id", int(keys.bare_number(identity)))
        return {}

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        """Raises ValueError if no stored payload shows what it was about."""
        item = deepcopy(dict(child(thing.payload, self.field)))
        beside = {
            name: deepcopy(thing.payload[name])
            for name in ("issue", "pull_request", "discussion")
            if self.field == "comment" and isinstance(thing.payload.get(name), dict)
        }
        identity = thing.key.split(":", 3)[3]
        if not item and self.field == "comment":
            raise ValueError("no payload is left that says what the comment was about")
        if not item and self.kind == "release":
            item = {"tag_name": identity}
        if not item:
            item = {"id": int(keys.bare_number(identity))}
        return _deleted(place, thing, self.event, self.field, item, at, **beside)


def _number(thing: KnownEntity) -> int:
    return int(thing.key.rpartition("#")[2])


def _why_empty(answer: Answer, switch: str | None) -> str | None:
    if switch is not None and flag(answer.data, switch) is False:
        return f"{switch.removeprefix('has_')} are switched off"
    return None


def _is_about(answer: Answer, field: str, wanted: int | str) -> None:
    """Raises ValueError if the answer is about an item other than the requested one."""
    value = answer.data.get(field) if isinstance(answer.data, Mapping) else None
    if value != wanted:
        raise ValueError(f"GitHub answers with {field} {str(value)[:100]}")


SWEEPS: Sequence[IdSweep] = (
    _Numbered("issue", "issues", "issues", "has_issues"),
    _Numbered("discussion", "discussions", "discussion", "has_discussions"),
    _ByList("comment", "issues/comments", "comment", "issue_comment", switch="has_issues"),
    _ByList("review-comment", "pulls/comments", "comment", "pull_request_review_comment"),
    _ByList("commit-comment", "comments", "comment", "commit_comment", sorted_by=None),
    DiscussionComments(),
    _ByList("release", "releases", "release", "release", sorted_by=None),
    _ByList("deployment", "deployments", "deployment", "deployment", sorted_by=None),
)
