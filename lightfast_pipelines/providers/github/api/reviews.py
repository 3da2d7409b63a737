"""Submitted reviews, found through the pull requests that changed.

GraphQL lists the reviews of many pull requests at once; the REST API only those of one.
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
from lightfast_pipelines.providers.fields import child, children, name_of, text, whole
from lightfast_pipelines.providers.github.api import graph
from lightfast_pipelines.providers.github.api.counting import count_call
from lightfast_pipelines.providers.github.api.listing import ListedItem, needed_time
from lightfast_pipelines.providers.github.api.people import of_graphql
from lightfast_pipelines.providers.github.api.place import repository

_NESTED = 50
_REVIEWS = """
      nodes {
        fullDatabaseId state body url submittedAt authorAssociation
        author { ...who }
        commit { oid }
      }
      pageInfo { hasNextPage endCursor }
"""
_PULL = "number fullDatabaseId title url updatedAt createdAt author { ...who }"
_PAGE = f"""
    pullRequests(first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      nodes {{
        {_PULL}
        reviews(first: {_NESTED}) {{ {_REVIEWS} }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
"""
_MORE = f"""
    pullRequest(number: $number) {{
      {_PULL}
      reviews(first: $first, after: $after) {{ {_REVIEWS} }}
    }}
"""


class Reviews:
    """A `Walker`. Reviews that do not fit on the page are fetched on their own before the next page: the
    cursor's `more` lists [pull request's number, cursor]."""

    entity_type = "review"
    page_size = 50

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {}

    def call(
        self,
        place: LinkedResource,
        window: Window,  # newest first, down to the start of the window
        cursor: Cursor,
        page_size: int,
    ) -> Call:
        if cursor.get("more"):
            number, after = cursor["more"][0]
            variables: dict[str, tuple[str, Any]] = {
                "number": ("Int!", number),
                "first": ("Int!", min(page_size, _NESTED)),
                "after": ("String", after),
            }
            return graph.call_of(graph.query_of(place, _MORE, variables), 1, of_one=True)
        variables = {"first": ("Int!", page_size), "after": ("String", cursor.get("after"))}
        return graph.call_of(graph.query_of(place, _PAGE, variables), 1 + page_size)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        repository_node = graph.repository_in(place, answer)
        if cursor.get("more"):
            return self._more(place, cursor, repository_node)
        pulls = child(repository_node, "pullRequests")
        nodes, missing = graph.nodes_of(pulls)
        fresh = graph.fresh(cursor, nodes)
        records, troubles = _read(place, fresh)
        troubles += [
            UnreadableItem("reviews of a pull request", "GitHub did not return them")
        ] * missing
        more = [
            [pull["number"], end]
            for pull in fresh
            if (end := graph.end_of(child(pull, "reviews"))) is not None
        ]
        following = graph.after_page(cursor, pulls, nodes, window)
        return Page(
            records,
            graph.unfinished_first(more, following),
            len(fresh),
            graph.reached(cursor, nodes, window),
            troubles,
        )

    def _more(self, place: LinkedResource, cursor: Cursor, repository_node: ListedItem) -> Page:
        pull = child(repository_node, "pullRequest")
        left = list(cursor["more"][1:])
        if not pull:
            gone = UnreadableItem(f"reviews of #{cursor['more'][0][0]}", "the pull request is gone")
            return Page([], graph.unfinished_first(left, cursor["then"]), 0, None, [gone])
        records, troubles = _read(place, [pull])
        end = graph.end_of(child(pull, "reviews"))
        if end is not None:
            left.insert(0, [pull["number"], end])
        return Page(records, graph.unfinished_first(left, cursor["then"]), 0, None, troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        if not answers:
            return count_call(place, window, "is:pr")
        return graph.estimate_of_count(answers[0], self.page_size, 1)


def _read(
    place: LinkedResource, pulls: Sequence[ListedItem]
) -> tuple[list[Record], list[UnreadableItem]]:
    records: list[Record] = []
    troubles: list[UnreadableItem] = []
    for pull in pulls:
        reviews = child(pull, "reviews")
        if not graph.is_complete(reviews):
            reason = "GitHub did not return all of them"
            troubles.append(UnreadableItem(f"reviews of #{pull.get('number')}", reason))
        for review in children(reviews, "nodes"):
            try:
                records += _records(place, pull, review)
            except (LookupError, TypeError, ValueError) as error:
                named = f"review {review.get('fullDatabaseId')} of #{pull.get('number')}"
                troubles.append(UnreadableItem(named, f"{type(error).__name__}: {error}"[:200]))
    return records, troubles


def _records(place: LinkedResource, pull: ListedItem, review: ListedItem) -> Iterator[Record]:
    if review.get("submittedAt") is None:
        return  # not submitted yet, and visible only to its author
    identity, at = int(review["fullDatabaseId"]), review["submittedAt"]
    author = of_graphql(review.get("author"))
    shown: Json = {"id": identity, "body": review.get("body"), "submitted_at": at, "user": author}
    shown["html_url"] = review.get("url")
    # A review that was dismissed later had another state when it was submitted.
    state = (name_of(review, "state") or "").lower()
    if state and state != "dismissed":
        shown["state"] = state
    sha = name_of(child(review, "commit"), "oid")
    if sha:
        shown["commit_id"] = sha
    if review.get("authorAssociation"):
        shown["author_association"] = review["authorAssociation"]
    payload = {
        "action": "submitted",
        "review": shown,
        "pull_request": pull_request(pull, at),
        "repository": repository(place),
        "sender": author,
    }
    yield Record(
        "pull_request_review",
        payload,
        needed_time(review, "submittedAt"),
        f"backfill:review:{identity}:submitted",
    )


def pull_request(pull: ListedItem, at: str) -> Json:
    number = whole(pull, "number")
    if number is None:
        raise ValueError("number is missing")
    identity = text(pull, "fullDatabaseId")
    return {
        **({"id": int(identity)} if identity else {}),
        "number": number,
        "title": pull.get("title"),
        "html_url": pull.get("url"),
        "user": of_graphql(pull.get("author")),
        "created_at": pull.get("createdAt"),
        "updated_at": at,
    }


WALKER = Reviews()
