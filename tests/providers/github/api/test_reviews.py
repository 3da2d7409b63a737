"""Reviews that do not fit on a page, or that GitHub returns only in part."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.providers.github.api import reviews
from tests.providers.github.api.test_graph import (
    PLACE,
    WINDOW,
    connection,
    of_repository,
    review,
    reviewed,
)

WALKER = reviews.WALKER


def page_of(*pulls: Any) -> Any:
    return WALKER.read(PLACE, WINDOW, {}, of_repository("pullRequests", connection(pulls)))


def test_the_rest_of_a_pull_requests_reviews_is_fetched_in_shorter_pages_when_too_heavy() -> None:
    cursor = {"more": [[7, "r50"]], "then": None}
    asked = [WALKER.call(PLACE, WINDOW, cursor, size).json["variables"] for size in (50, 25, 1)]
    assert [one["first"] for one in asked] == [50, 25, 1]


def test_reviews_that_github_does_not_return_are_named_and_the_others_are_read() -> None:
    page = page_of(reviewed([review(1), None]), {**reviewed([]), "number": 8, "reviews": None})
    assert len(page.records) == 1
    assert [trouble.item for trouble in page.troubles] == ["reviews of #7", "reviews of #8"]


def test_an_invalid_submission_time_is_named() -> None:
    page = page_of(reviewed([review(1, at="yesterday"), review(2)]))
    assert [one.delivery_id for one in page.records] == ["backfill:review:3000000002:submitted"]
    assert [one.item for one in page.troubles] == ["review 3000000001 of #7"]


def test_a_rest_that_github_does_not_return_is_named_and_the_walk_goes_on() -> None:
    cursor = {"more": [[7, "r50"]], "then": {"after": "p50"}}
    rest = of_repository("pullRequest", {**reviewed([]), "reviews": None})
    page = WALKER.read(PLACE, WINDOW, cursor, rest)
    assert [trouble.item for trouble in page.troubles] == ["reviews of #7"]
    assert page.next == {"after": "p50"}
