"""Reviews and discussions from GraphQL, also where their lists do not fit on a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import Answer, LinkedResource, Page, Record, Window
from lightfast_pipelines.providers.github.api import discussions, reviews
from lightfast_pipelines.providers.github.api.people import of_graphql
from tests.providers.github.payloads import sha, user
from tests.providers.github.readings import accounts, statement

PLACE = LinkedResource("github", "1", "acme/shop", {"default_branch": "main"})
SINCE = datetime(2024, 5, 1, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(days=30))
OPENED, ENDED, LATER = "2024-05-01T10:00:00Z", "2024-05-02T12:00:00Z", "2024-05-03T09:00:00Z"


def told(record: Record) -> Statement:
    result = statement(record.event_type, record.payload)
    assert result.occurred_at == record.occurred_at
    return result


def test_a_bot_has_the_name_that_webhooks_give_it() -> None:
    bot = {
        "__typename": "Bot",
        "login": "renovate",
        "databaseId": 29139614,
        "url": "https://x.test",
    }
    assert of_graphql(bot) == {
        "login": "renovate[bot]",
        "id": 29139614,
        "type": "Bot",
        "html_url": "https://x.test",
    }
    assert of_graphql(None) is None


def actor(login: str) -> dict[str, Any]:
    return {"__typename": "User", "login": login, "databaseId": user(login)["id"]}


def connection(nodes: Sequence[Any], end: str | None = None) -> dict[str, Any]:
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": end is not None, "endCursor": end}}


def of_repository(field: str, value: Any, **beside: Any) -> Answer:
    return Answer(200, {}, {"data": {"repository": {field: value}, **beside}})


def review(number: int, state: str = "APPROVED", at: str | None = ENDED) -> dict[str, Any]:
    return {
        "fullDatabaseId": str(3_000_000_000 + number),
        "state": state,
        "body": "",
        "url": "https://github.com/acme/shop/pull/7#r",
        "submittedAt": at,
        "authorAssociation": "MEMBER",
        "author": actor("lin"),
        "commit": {"oid": sha("head")},
    }


def reviewed(found: Sequence[Any], end: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "number": 7,
        "fullDatabaseId": "107",
        "title": "Add a cart",
        "url": "https://github.com/acme/shop/pull/7",
        "updatedAt": LATER,
        "createdAt": OPENED,
        "author": actor("ada"),
        "reviews": connection(found, end),
        **more,
    }


def test_reviews_are_read_with_numbers_that_need_64_bits() -> None:
    answer = of_repository("pullRequests", connection([reviewed([review(1)])]))
    page = reviews.WALKER.read(PLACE, WINDOW, {}, answer)
    assert page.next is None
    found = told(page.records[0])
    assert found.source_id == "github:pr:1#7|review.submitted|3000000001"
    assert found.metadata["reviewState"] == "approved"
    assert found.actor == found.author


def test_the_first_verdict_of_a_dismissed_review_is_not_invented() -> None:
    answer = of_repository("pullRequests", connection([reviewed([review(1, "DISMISSED")])]))
    (record,) = reviews.WALKER.read(PLACE, WINDOW, {}, answer).records
    assert told(record).metadata["reviewState"] is None


def test_a_review_that_is_not_submitted_yet_is_not_a_fact() -> None:
    answer = of_repository("pullRequests", connection([reviewed([review(1, "PENDING", None)])]))
    page = reviews.WALKER.read(PLACE, WINDOW, {}, answer)
    assert (page.records, page.troubles) == ([], [])


def test_reviews_that_do_not_fit_on_the_page_are_fetched_alone() -> None:
    answer = of_repository("pullRequests", connection([reviewed([review(1)], "r50")], "p50"))
    page = reviews.WALKER.read(PLACE, WINDOW, {}, answer)
    assert page.next is not None
    assert page.next["more"] == [[7, "r50"]]
    call = reviews.WALKER.call(PLACE, WINDOW, page.next, 50)
    assert call.json["variables"]["number"] == 7
    rest = of_repository("pullRequest", reviewed([review(2)]))
    page = reviews.WALKER.read(PLACE, WINDOW, page.next, rest)
    assert [record.delivery_id for record in page.records] == [
        "backfill:review:3000000002:submitted"
    ]
    assert page.next is not None
    assert page.next["after"] == "p50"


def test_a_pull_request_that_github_does_not_return_is_named_and_the_rest_is_read() -> None:
    answer = of_repository("pullRequests", connection([None, reviewed([review(1), {"x": 1}])]))
    page = reviews.WALKER.read(PLACE, WINDOW, {}, answer)
    assert len(page.records) == 1
    assert [trouble.reason for trouble in page.troubles] == ["GitHub did not return them"]


def test_a_place_without_a_name_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="--name OWNER/NAME"):
        reviews.WALKER.call(LinkedResource("github", "1", None), WINDOW, {}, 50)


def said(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"DC_{number}",
        "databaseId": number,
        "body": "Euros.",
        "createdAt": ENDED,
        "url": f"https://github.com/acme/shop/discussions/9#c{number}",
        "authorAssociation": "NONE",
        "author": actor("lin"),
        **more,
    }


def discussion(comments: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "D_9",
        "number": 9,
        "databaseId": 900,
        "title": "Which currency?",
        "body": "Euros or francs?",
        "url": "https://github.com/acme/shop/discussions/9",
        "createdAt": OPENED,
        "updatedAt": LATER,
        "closedAt": None,
        "stateReason": None,
        "author": actor("ada"),
        "category": {"name": "Q&A", "slug": "q-a"},
        "answerChosenAt": None,
        "answerChosenBy": None,
        "answer": None,
        "comments": comments,
        **more,
    }


def kinds(page: Page) -> list[str]:
    return [told(record).source_type for record in page.records]


def test_a_discussion_is_read_with_its_answer_its_closing_and_its_comments() -> None:
    replies = connection([said(2)])
    answered = {"answerChosenAt": LATER, "answerChosenBy": actor("grace"), "answer": said(1)}
    closed = {"closedAt": LATER, "stateReason": "RESOLVED"}
    one = discussion(connection([said(1, replies=replies)]), **answered, **closed)
    page = discussions.WALKER.read(
        PLACE, WINDOW, {}, of_repository("discussions", connection([one]))
    )
    assert kinds(page) == [
        *("discussion.created", "discussion.answered", "discussion.closed"),
        *("discussion-comment.created", "discussion-comment.created"),
    ]
    _, answer, end, first, reply = (told(record) for record in page.records)
    assert answer.actor is not None
    assert answer.actor.username == "grace"
    assert accounts(answer, "answerer") == ["lin"]
    assert (end.actor, end.states[0].reason) == (None, "resolved")
    assert (first.metadata["inReplyTo"], reply.metadata["inReplyTo"]) == (None, 1)
    assert not page.troubles


def test_comments_and_replies_that_do_not_fit_on_the_page_are_fetched_alone() -> None:
    one = discussion(connection([said(1, replies=connection([said(2)], "r15"))], "c30"))
    answer = of_repository("discussions", connection([one]))
    page = discussions.WALKER.read(PLACE, WINDOW, {}, answer)
    assert page.next is not None
    assert page.next["more"] == [[9, "DC_1", "r15"], [9, None, "c30"]]
    call = discussions.WALKER.call(PLACE, WINDOW, page.next, 25)
    assert call.json["variables"]["comment"] == "DC_1"
    owner = {"databaseId": 1, "replies": connection([said(3)])}
    rest = of_repository("discussion", discussion(connection([])), comment=owner)
    page = discussions.WALKER.read(PLACE, WINDOW, page.next, rest)
    assert told(page.records[0]).metadata["inReplyTo"] == 1
    assert page.next is not None
    assert discussions.WALKER.call(PLACE, WINDOW, page.next, 25).json["variables"]["number"] == 9
    more = discussion(connection([said(4, replies=connection([said(5)]))]))
    page = discussions.WALKER.read(PLACE, WINDOW, page.next, of_repository("discussion", more))
    assert [record.delivery_id.rpartition(":")[2] for record in page.records] == ["4", "5"]
    assert page.next is None


def test_a_discussion_that_was_deleted_meanwhile_is_reported_and_the_walk_goes_on() -> None:
    cursor = {"more": [[9, None, "c30"]], "then": None}
    page = discussions.WALKER.read(
        PLACE, WINDOW, cursor, of_repository("discussion", None, other=1)
    )
    assert [trouble.item for trouble in page.troubles] == ["comments of #9"]
    assert page.next is None
