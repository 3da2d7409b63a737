"""Numbered pages whose size is halved on the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.api_contract import Answer, Cursor


@given(
    count=st.integers(0, 400),
    first=st.sampled_from([100, 50, 25, 20]),
    halvings=st.lists(st.integers(0, 12), max_size=7),
)
def test_no_item_is_lost_wherever_the_pages_are_halved(
    count: int, first: int, halvings: list[int]
) -> None:
    cursor: Cursor | None = {"offset": 0}
    seen: set[int] = set()
    asked = 0
    while cursor is not None:
        size = max(1, first >> sum(halving <= asked for halving in halvings))
        number = int(paging.page_of(cursor, size))
        seen |= set(range((number - 1) * size, min(count, number * size)))
        base = f"https://api.test/things?per_page={size}&page="
        link = f'<{base}{number + 1}>; rel="next"' if number * size < count else ""
        cursor = paging.after(cursor, Answer(200, {"link": link}, [], f"{base}{number}"), first)
        asked += 1
    assert seen == set(range(count))
