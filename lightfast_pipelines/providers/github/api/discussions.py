"""Discussions (created, answered, closed) and their comments, which only GraphQL lists.

GitHub does not say who closed a discussion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    Json,
    LinkedResource,
    Page,
    Record,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.fields import child, children, name_of, whole
from lightfast_pipelines.providers.github.api import graph
from lightfast_pipelines.providers.github.api.counting import DISCUSSIONS, count_call
from lightfast_pipelines.providers.github.api.listing import ListedItem, needed_time
from lightfast_pipelines.providers.github.api.people import of_graphql
from lightfast_pipelines.providers.github.api.place import repository

_COMMENTS, _REPLIES, _REST = 30, 15, 100
_ONE = "id databaseId body createdAt url authorAssociation author { ...who }"
_DISCUSSION = f"""
        id number databaseId title body url createdAt updatedAt closedAt stateReason
        author {{ ...who }}
        category {{ name slug }}
        answerChosenAt answerChosenBy {{ ...who }}
        answer {{ {_ONE} }}
"""
_REPLIED = f"nodes {{ {_ONE} }} pageInfo {{ hasNextPage endCursor }}"
_COMMENTED = f"""
        nodes {{ {_ONE} replies(first: {_REPLIES}) {{ {_REPLIED} }} }}
        pageInfo {{ hasNextPage endCursor }}
"""
_PAGE = f"""
    discussions(first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      nodes {{
        {_DISCUSSION}
        comments(first: {_COMMENTS}) {{ {_COMMENTED} }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
"""
_MORE_COMMENTS = f"""
    discussion(number: $number) {{
      {_DISCUSSION}
      comments(first: $first, after: $after) {{ {_COMMENTED} }}
    }}
"""
# A comment's replies are listed under its node, which is queried beside the repository.
_MORE_REPLIES = f"""
    discussion(number: $number) {{ {_DISCUSSION} }}
  }}
  comment: node(id: $comment) {{
    ... on DiscussionComment {{
      databaseId
      replies(first: $first, after: $after) {{ {_REPLIED} }}
    }}
"""


class Discussions:
    """A `Walker`. Comments and replies that do not fit on a page are fetched on their own before the next
    page: the cursor's `more` lists [number, comment or null, cursor] of each."""

    entity_type = "discussion"
    page_size = 25

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {}

    def call(
        self,
        place: LinkedResource,
        window: Window,  # newest first, down to the start of the window
        cursor: Cursor,
        page_size: int,
    ) -> Call:
        if not cursor.get("more"):
            page: dict[str, tuple[str, Any]] = {
                "first": ("Int!", page_size),
                "after": ("String", cursor.get("after")),
            }
            return graph.call_of(graph.query_of(place, _PAGE, page), _connections(page_size))
        number, comment, after = cursor["more"][0]
        first = max(1, min(_REST, _REST * page_size // self.page_size))
        rest: dict[str, tuple[str, Any]] = {
            "number": ("Int!", number),
            "first": ("Int!", first),
            "after": ("String", after),
        }
        if comment is None:
            return graph.call_of(
                graph.query_of(place, _MORE_COMMENTS, rest), 2 + first, of_one=True
            )
        rest["comment"] = ("ID!", comment)
        return graph.call_of(graph.query_of(place, _MORE_REPLIES, rest), 2, of_one=True)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        repository_node = graph.repository_in(place, answer)
        if cursor.get("more"):
            return self._more(place, cursor, answer, repository_node)
        discussions = child(repository_node, "discussions")
        nodes, missing = graph.nodes_of(discussions)
        gathered = _Gathered(place)
        gathered.troubles += [UnreadableItem("a discussion", "GitHub did not return it")] * missing
        fresh = graph.fresh(cursor, nodes)
        for node in fresh:
            gathered.discussion(node)
            gathered.comments(node, child(node, "comments"))
        following = graph.after_page(cursor, discussions, nodes, window)
        return Page(
            gathered.records,
            graph.unfinished_first(gathered.more, following),
            len(fresh),
            graph.reached(cursor, nodes, window),
            gathered.troubles,
        )

    def _more(
        self, place: LinkedResource, cursor: Cursor, answer: Answer, repository_node: ListedItem
    ) -> Page:
        number, comment, _ = cursor["more"][0]
        gathered = _Gathered(place)
        discussion = child(repository_node, "discussion")
        owner = discussion
        if comment is not None:
            owner = child(child(answer.data, "data"), "comment")
        if not discussion or not owner:
            gathered.troubles.append(
                UnreadableItem(f"comments of #{number}", "the discussion or comment is gone")
            )
        elif comment is None:
            gathered.comments(discussion, child(discussion, "comments"))
        else:
            parent = whole(owner, "databaseId")
            gathered.replies(discussion, child(owner, "replies"), comment, parent)
        more = [*gathered.more, *cursor["more"][1:]]
        following = graph.unfinished_first(more, cursor["then"])
        return Page(gathered.records, following, 0, None, gathered.troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        if not answers:
            return count_call(place, window, DISCUSSIONS)
        cost = max(1, -(-_connections(self.page_size) // 100))
        return graph.estimate_of_count(answers[0], self.page_size, cost)


def _connections(page_size: int) -> int:
    return 1 + page_size + page_size * _COMMENTS


class _Gathered:
    """The records of one page, the items that could not be read, and the lists that continue beyond it."""

    def __init__(self, place: LinkedResource) -> None:
        self._place = place
        self.records: list[Record] = []
        self.troubles: list[UnreadableItem] = []
        self.more: list[list[Any]] = []

    def discussion(self, node: ListedItem) -> None:
        try:
            self.records += _discussion_records(self._place, node)
        except (LookupError, TypeError, ValueError) as error:
            self._note(f"discussion #{node.get('number')}", error)

    def comments(self, discussion: ListedItem, connection: ListedItem) -> None:
        for comment in self._nodes(discussion, connection, "comments"):
            self._comment(discussion, comment, None)
            replies = child(comment, "replies")
            self.replies(discussion, replies, comment.get("id"), whole(comment, "databaseId"))
        end = graph.end_of(connection)
        if end is not None:
            self.more.append([discussion["number"], None, end])

    def replies(
        self, discussion: ListedItem, connection: ListedItem, comment: Any, parent: int | None
    ) -> None:
        for reply in self._nodes(discussion, connection, "replies to a comment"):
            self._comment(discussion, reply, parent)
        end = graph.end_of(connection)
        if end is not None:
            self.more.append([discussion["number"], comment, end])

    def _nodes(self, discussion: ListedItem, connection: ListedItem, what: str) -> list[ListedItem]:
        if not graph.is_complete(connection):
            item = f"{what} of #{discussion.get('number')}"
            self.troubles.append(UnreadableItem(item, "GitHub did not return all of them"))
        return children(connection, "nodes")

    def _comment(self, discussion: ListedItem, comment: ListedItem, parent: int | None) -> None:
        try:
            self.records.append(_comment_record(self._place, discussion, comment, parent))
        except (LookupError, TypeError, ValueError) as error:
            self._note(f"comment {comment.get('databaseId')} of #{discussion.get('number')}", error)

    def _note(self, item: str, error: Exception) -> None:
        self.troubles.append(UnreadableItem(item, f"{type(error).__name__}: {error}"[:200]))


def _discussion_records(place: LinkedResource, node: ListedItem) -> Iterator[Record]:
    number, author = node["number"], of_graphql(node.get("author"))

    def record(action: str, at: str, changes: Json, **beside: Any) -> Record:
        payload = {
            "action": action,
            "discussion": {**_shown(node), **changes, "updated_at": at},
            **beside,
            "repository": repository(place),
        }
        name = f"backfill:discussion:{place.resource_id}#{number}:{action}"
        moment = needed_time({"at": at}, "at")
        return Record(
            "discussion", payload, moment, name if action == "created" else f"{name}@{at}"
        )

    yield record("created", node["createdAt"], {"state": "open"}, sender=author)
    answered, answer = node.get("answerChosenAt"), child(node, "answer")
    if answered and answer:
        changes = {"answer_html_url": answer.get("url"), "answer_chosen_at": answered}
        chooser = of_graphql(node.get("answerChosenBy"))
        shown = {**_written(answer), "updated_at": answer.get("createdAt")}
        beside: Json = {"answer": shown, **({"sender": chooser} if chooser else {})}
        yield record("answered", answered, changes, **beside)
    if node.get("closedAt") is not None:
        reason = (name_of(node, "stateReason") or "").lower()
        changes = {"state": "closed", "closed_at": node["closedAt"]}
        yield record(
            "closed", node["closedAt"], changes | ({"state_reason": reason} if reason else {})
        )


def _comment_record(
    place: LinkedResource, discussion: ListedItem, comment: ListedItem, parent: int | None
) -> Record:
    written = _written(comment)
    payload = {
        "action": "created",
        "comment": {**written, "parent_id": parent, "updated_at": comment["createdAt"]},
        "discussion": {**_shown(discussion), "updated_at": comment["createdAt"]},
        "repository": repository(place),
        "sender": written["user"],
    }
    return Record(
        "discussion_comment",
        payload,
        needed_time(comment, "createdAt"),
        f"backfill:discussion_comment:{written['id']}",
    )


def _shown(node: ListedItem) -> Json:
    category = child(node, "category")
    return {
        "id": node.get("databaseId"),
        "number": node["number"],
        "title": node.get("title"),
        "body": node.get("body"),
        "html_url": node.get("url"),
        "user": of_graphql(node.get("author")),
        "category": {"name": category.get("name"), "slug": category.get("slug")},
        "created_at": node.get("createdAt"),
    }


def _written(comment: ListedItem) -> Json:
    identity = whole(comment, "databaseId")
    if identity is None:
        raise ValueError("databaseId is missing")
    return {
        "id": identity,
        "node_id": comment.get("id"),
        "html_url": comment.get("url"),
        "body": comment.get("body"),
        "user": of_graphql(comment.get("author")),
        "author_association": comment.get("authorAssociation"),
        "created_at": comment.get("createdAt"),
    }


WALKER = Discussions()
