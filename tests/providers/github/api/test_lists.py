"""Numbered lists: where a walk continues and ends, what it reads again, what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    LinkedResource,
    Page,
    Window,
)
from lightfast_pipelines.providers.github.api import commits, events, issues, pulls, releases
from lightfast_pipelines.providers.github.api.listing import Listing
from tests.providers.github.payloads import sha, user

PLACE = LinkedResource("github", "1", "acme/shop", {"default_branch": "main"})
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(days=100))


def iso(day: float) -> str:
    return (SINCE + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pull(number: int, changed: float, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "number": number,
        "title": "Add a cart",
        "body": None,
        "user": user("ada"),
        "created_at": iso(min(changed, 0)),
        "updated_at": iso(changed),
        "closed_at": None,
        "merged_at": None,
        "merge_commit_sha": sha(number),
        "head": {"ref": "cart", "sha": sha("head"), "repo": {"id": 1}},
        "base": {"ref": "main"},
        **more,
    }


def answer(
    items: Sequence[Any], *, page: int = 1, size: int = 100, last: int | None = None
) -> Answer:
    """The page of a list whose last page is `last`."""
    base = "https://api.github.com/repositories/1/pulls"

    def address(number: int) -> str:
        return f"{base}?{urlencode({'per_page': size, 'page': number})}"

    links = []
    if last is not None and page < last:
        links = [f'<{address(page + 1)}>; rel="next"', f'<{address(last)}>; rel="last"']
    return Answer(200, {"link": ", ".join(links)}, list(items), address(page))


def read(cursor: Cursor, told: Answer, walker: Listing = pulls.WALKER) -> Page:
    return walker.read(PLACE, WINDOW, cursor, told)


def test_a_full_page_with_one_that_is_too_old_is_the_last() -> None:
    items = [pull(n, 50 - n / 10) for n in range(99)] + [pull(99, -1)]
    assert read({"offset": 0}, answer(items, last=9)).next is None


def test_the_page_that_github_calls_the_last_is_the_last_however_long_it_is() -> None:
    for count in (99, 100):
        assert read({"offset": 0}, answer([pull(n, 50) for n in range(count)])).next is None


def test_a_short_page_with_a_next_page_is_not_the_last() -> None:
    page = read({"offset": 0}, answer([pull(n, 50) for n in range(99)], last=2))
    assert page.next is not None
    assert page.next["offset"] == 100


def test_a_halved_page_goes_on_where_the_whole_one_would_have() -> None:
    page = read({"offset": 200}, answer([pull(n, 50) for n in range(50)], page=5, size=50, last=9))
    assert page.next is not None
    assert page.next["offset"] == 250
    call = pulls.WALKER.call(PLACE, WINDOW, page.next, 50)
    assert (call.params["page"], call.params["per_page"]) == ("6", "50")


def test_items_that_changed_during_the_walk_are_read_again() -> None:
    first = read({"offset": 0}, answer([pull(n, 60 - n / 100) for n in range(100)], last=2))
    assert first.next is not None
    second = read(first.next, answer([pull(200, 50)], page=2, last=2))
    assert second.next == {"offset": 0, "again_until": (SINCE + timedelta(days=60)).isoformat()}
    moved = pull(201, 61, created_at=iso(3), merged_at=iso(40), closed_at=iso(40))
    again = read(second.next, answer([moved, *(pull(n, 60 - n / 100) for n in range(99))], last=2))
    assert again.next is None
    assert (
        again.items == 2
    )  # the item that was the newest at first is read again: others may be as new
    assert [record.delivery_id for record in again.records][:2] == [
        "backfill:pull-request:1#201:opened",
        f"backfill:pull-request:1#201:merged@{iso(40)}",
    ]


def test_a_list_of_one_page_is_not_read_again() -> None:
    assert read({"offset": 0}, answer([pull(1, 50)])).next is None


def test_many_changes_in_one_second_are_not_read_for_ever() -> None:
    cursor: Cursor = {"offset": 0, "again_until": (SINCE + timedelta(days=60)).isoformat()}
    first = read(cursor, answer([pull(n, 60) for n in range(100)], last=2))
    assert first.next is not None
    assert read(first.next, answer([pull(200, 60)], page=2, last=2)).next is None


def test_a_list_without_a_last_page_is_followed_by_its_own_cursors() -> None:
    link = '<https://api.github.com/repositories/1/issues?per_page=100&after=Y3Vyc29y&page=2>; rel="next"'
    url = "https://api.github.com/repositories/1/issues?per_page=100&page=1"
    page = read({"offset": 0}, Answer(200, {"link": link}, [], url), issues.WALKER)
    assert page.next == {"offset": 100, "after": "Y3Vyc29y"}
    params = issues.WALKER.call(PLACE, WINDOW, page.next, 100).params
    assert params["after"] == "Y3Vyc29y"
    assert "page" not in params


def test_the_length_of_a_list_without_a_last_page_is_requested_once() -> None:
    link = '<https://api.github.com/x?after=Y3&page=2>; rel="next"'
    first = Answer(200, {"link": link}, [], "https://api.github.com/x?per_page=100&page=1")
    call = issues.WALKER.probe(PLACE, WINDOW, [first])
    assert isinstance(call, Call)
    assert call.pool == "graphql"
    assert call.json["variables"] == {"search": "repo:acme/shop updated:>=2025-01-01T00:00:00Z"}
    counted = Answer(200, {}, {"data": {"search": {"issueCount": 951}}})
    found = issues.WALKER.probe(PLACE, WINDOW, [first, counted])
    assert isinstance(found, Estimate)
    assert (found.requests, found.items) == (10, 951)


def test_events_that_github_no_longer_shows_do_not_count_as_fetched() -> None:
    event = {"id": 1, "event": "subscribed", "created_at": iso(1), "issue": {"number": 1}}
    end = answer([event] * 100, page=300, last=300)
    with pytest.raises(ValueError, match="the latest 30,000"):
        read({"offset": 29_900}, end, events.WALKER)
    assert read({"offset": 29_900}, answer([event] * 99, page=300), events.WALKER).next is None


def test_an_invalid_item_is_reported_and_the_rest_is_read() -> None:
    broken = [{"id": 7}, {"id": 8, "number": 8, "created_at": "soon"}, pull(1, 5, user=None)]
    page = read({"offset": 0}, answer(broken))
    assert [one.item for one in page.troubles] == ["pull_request 7", "pull_request 8"]
    assert [one.payload["sender"] for one in page.records] == [None]


def test_an_object_instead_of_a_list_is_not_a_page() -> None:
    with pytest.raises(TypeError, match="a list was expected"):
        read({"offset": 0}, Answer(200, {}, {"message": "Hello"}))


def test_commits_of_an_unknown_branch_are_not_requested() -> None:
    with pytest.raises(ValueError, match="default branch"):
        commits.WALKER.call(LinkedResource("github", "1", "acme/shop"), WINDOW, {"offset": 0}, 100)


def test_a_repository_without_a_number_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="link it with"):
        releases.WALKER.call(
            LinkedResource("github", "acme/shop", None), WINDOW, {"offset": 0}, 100
        )


@pytest.mark.parametrize("pages", [1, 2, 3, 17, 100])
@pytest.mark.parametrize("inside", [0.0, 0.3, 0.5, 0.97, 1.0])
def test_the_estimate_finds_the_page_on_which_the_window_begins(pages: int, inside: float) -> None:
    total = pages * 100 - 40
    changed = [99 - n * 99 / max(1, inside * total) for n in range(total)]

    def page(number: int) -> Answer:
        items = [pull(n, changed[n]) for n in range((number - 1) * 100, min(number * 100, total))]
        return answer(items, page=number, last=pages)

    asked: list[Answer] = []
    while True:
        found = pulls.WALKER.probe(PLACE, WINDOW, asked)
        if isinstance(found, Estimate):
            break
        asked.append(page(int(found.params["page"])))
    assert len(asked) <= 12
    cursor: Cursor | None = {"offset": 0}
    requests = 0
    while cursor is not None:
        number = cursor["offset"] // 100 + 1
        cursor, requests = read(cursor, page(number)).next, requests + 1
    assert found.requests == requests
