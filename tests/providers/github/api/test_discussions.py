"""Discussions that do not fit on a page, or that GitHub returns only in part."""

from __future__ import annotations

import pytest

from lightfast_pipelines.providers.github.api import discussions
from tests.providers.github.api.test_graph import (
    PLACE,
    WINDOW,
    connection,
    discussion,
    kinds,
    of_repository,
    said,
)

WALKER = discussions.WALKER


@pytest.mark.parametrize("comment", [None, "DC_1"])
def test_rest_of_a_discussion_is_fetched_in_shorter_pages_when_too_heavy(
    comment: str | None,
) -> None:
    cursor = {"more": [[9, comment, "c30"]], "then": None}
    asked = [WALKER.call(PLACE, WINDOW, cursor, size).json["variables"] for size in (25, 12, 1)]
    assert [one["first"] for one in asked] == [100, 48, 4]


def test_comments_that_github_does_not_return_are_named_and_the_others_are_read() -> None:
    untold = said(1, replies=connection([None, said(2)]))
    one = discussion(connection([untold, None]))
    other = discussion(connection([])) | {"number": 10, "comments": None}
    answer = of_repository("discussions", connection([one, other]))
    page = WALKER.read(PLACE, WINDOW, {}, answer)
    assert kinds(page).count("discussion-comment.created") == 2
    assert [one.item for one in page.troubles] == [
        "comments of #9",
        "replies to a comment of #9",
        "comments of #10",
    ]


def test_an_invalid_closing_time_is_named_and_the_rest_is_read() -> None:
    one = discussion(connection([said(1, replies=connection([]))]), closedAt="yesterday")
    page = WALKER.read(PLACE, WINDOW, {}, of_repository("discussions", connection([one])))
    assert kinds(page) == ["discussion.created", "discussion-comment.created"]
    assert [one.item for one in page.troubles] == ["discussion #9"]
