"""Finds which comments on discussions still exist. Only GraphQL lists them, inside their discussions.

Comments and replies that do not fit on a page are fetched before the next page. A single comment is
fetched by its node id, which the payloads of webhooks and of the API contain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, children, flag, name_of, whole
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.api.graph import (
    call_of,
    end_of,
    query_of,
    repository_in,
    unfinished_first,
)
from lightfast_pipelines.providers.github.api.place import address
from lightfast_pipelines.providers.recovery_contract import EntityPage, EntityScope, KnownEntity

_KIND = "discussion-comment"
_DISCUSSIONS, _COMMENTS, _REPLIES = 25, 50, 50
_END = "pageInfo { hasNextPage endCursor }"
_REPLIED = f"nodes {{ databaseId }} {_END}"
_COMMENTED = f"nodes {{ id databaseId replies(first: {_REPLIES}) {{ {_REPLIED} }} }} {_END}"
_PAGE = f"""
    discussions(first: {_DISCUSSIONS}, after: $after, orderBy: {{field: CREATED_AT, direction: ASC}}) {{
      nodes {{ number comments(first: {_COMMENTS}) {{ {_COMMENTED} }} }}
      {_END}
    }}
"""
_MORE_COMMENTS = f"""
    discussion(number: $number) {{ number comments(first: {_COMMENTS}, after: $after) {{ {_COMMENTED} }} }}
"""
_MORE_REPLIES = f"""
  }}
  comment: node(id: $comment) {{
    ... on DiscussionComment {{ id replies(first: {_REPLIES}, after: $after) {{ {_REPLIED} }} }}
"""
_ONE = """
  }
  comment: node(id: $comment) {
    ... on DiscussionComment { databaseId }
"""


class DiscussionComments:
    """An `IdSweep`. The cursor's `more` lists [number, comment or null, cursor] of what must be fetched
    before the page at `then`."""

    kind = _KIND
    confirm_many = 1

    def scope(self, place: LinkedResource) -> EntityScope:
        return EntityScope(f"github:comment:{_KIND}:", _KIND, of_parts=True)

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        if not cursor or not cursor.get("more"):
            after = {"after": ("String", cursor and cursor.get("after"))}
            connections = 1 + _DISCUSSIONS + _DISCUSSIONS * _COMMENTS
            return call_of(query_of(place, _PAGE, after), connections)
        number, comment, end = cursor["more"][0]
        if comment is None:
            rest: dict[str, tuple[str, Any]] = {
                "number": ("Int!", number),
                "after": ("String", end),
            }
            return call_of(query_of(place, _MORE_COMMENTS, rest), 1 + _COMMENTS, of_one=True)
        rest = {"comment": ("ID!", comment), "after": ("String", end)}
        return call_of(query_of(place, _MORE_REPLIES, rest), 1, of_one=True)

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage:
        """Comments on a discussion that was deleted meanwhile are no longer listed, which is correct."""
        repository, seen = repository_in(place, answer), _Seen(place)
        if not cursor or not cursor.get("more"):
            discussions = child(repository, "discussions")
            if not isinstance(discussions.get("nodes"), list):
                raise ValueError("GitHub's list of discussions is not of its form")
            for node in children(discussions, "nodes"):
                seen.comments(whole(node, "number"), child(node, "comments"))
            end = end_of(discussions)
            return EntityPage(
                seen.keys, unfinished_first(seen.more, None if end is None else {"after": end})
            )
        number, comment, _ = cursor["more"][0]
        if comment is None:
            seen.comments(number, child(child(repository, "discussion"), "comments"))
        else:
            owner = child(child(answer.data, "data"), "comment")
            seen.replies(number, comment, child(owner, "replies"))
        return EntityPage(
            seen.keys, unfinished_first([*seen.more, *cursor["more"][1:]], cursor["then"])
        )

    def resource(self, place: LinkedResource) -> Call | None:
        return Call(address(place))

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        if flag(answer.data, "has_discussions") is False:
            return "discussions are switched off"
        return None

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        """Raises ValueError if no stored payload names the comment's node."""
        node = name_of(child(things[0].payload, "comment"), "node_id")
        if node is None:
            raise ValueError("no payload is left that names the comment's node")
        return call_of(query_of(place, _ONE, {"comment": ("ID!", node)}), 1, of_one=True)

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        if answer is None:
            return {things[0].key: None}
        repository_in(place, answer)
        comment = child(child(answer.data, "data"), "comment")
        number = whole(comment, "databaseId")
        if number is not None:
            if _key(place, number) != things[0].key:
                raise ValueError(f"GitHub answers with comment {number}")
            return {}
        if any(error.get("type") != "NOT_FOUND" for error in children(answer.data, "errors")):
            raise ValueError("GitHub did not say whether it exists")
        return {things[0].key: None}

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        """Raises ValueError if no stored payload shows what the comment was written on."""
        comment = deepcopy(dict(child(thing.payload, "comment")))
        discussion = deepcopy(dict(child(thing.payload, "discussion")))
        if not comment or not discussion:
            raise ValueError("no payload is left that says what the comment was about")
        payload = {
            "action": "deleted",
            "comment": {**comment, "updated_at": at.strftime("%Y-%m-%dT%H:%M:%SZ")},
            "discussion": discussion,
            "repository": deepcopy(dict(child(thing.payload, "repository"))),
        }
        return Record("discussion_comment", payload, at, f"sweep:{thing.key}:deleted")


def _key(place: LinkedResource, number: int) -> str:
    return github_keys.comment(_KIND, keys.at_host(number, keys.host_of(place.resource_id)))


class _Seen:
    """The keys that one answer lists, and the lists that continue beyond it."""

    def __init__(self, place: LinkedResource) -> None:
        self._place = place
        self.keys: list[str] = []
        self.more: list[list[Any]] = []

    def comments(self, number: int | None, connection: Mapping[str, Any]) -> None:
        for node in children(connection, "nodes"):
            self._see(node)
            self.replies(number, name_of(node, "id"), child(node, "replies"))
        end = end_of(connection)
        if end is not None:
            self.more.append([number, None, end])

    def replies(self, number: int | None, comment: Any, connection: Mapping[str, Any]) -> None:
        for node in children(connection, "nodes"):
            self._see(node)
        end = end_of(connection)
        if end is not None:
            self.more.append([number, comment, end])

    def _see(self, node: Mapping[str, Any]) -> None:
        identity = whole(node, "databaseId")
        if identity is not None:
            self.keys.append(_key(self._place, identity))
