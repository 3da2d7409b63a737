"""When a cluster is open and when it is closed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.cluster_status import (
    IDLE_SECONDS,
    ITEMS,
    ClusterStatus,
    ItemStatus,
    decide_status,
    is_commit,
    is_item,
)
from lightfast_pipelines.domain.key_categories import categories, category_of

HOUR = 3600.0
MERGED, OPEN_ISSUE = ItemStatus("merged", HOUR), ItemStatus("open", 0)
DONE, IDLE = ClusterStatus("closed", "done"), ClusterStatus("closed", "idle")
WORKING = ClusterStatus("open")


def status(
    *items: ItemStatus | None, commit: float | None = None, last: float = HOUR, clock: float = HOUR
) -> ClusterStatus:
    return decide_status(items, last_commit=commit, last=last, clock=clock)


def test_it_is_done_when_all_of_its_items_are() -> None:
    assert status(MERGED, ItemStatus("completed", 0), ItemStatus("resolved", 0)) == DONE
    assert status(MERGED, OPEN_ISSUE) == WORKING


def test_an_item_whose_status_is_unknown_may_still_be_open() -> None:
    assert status(MERGED, None) == WORKING


def test_commits_alone_are_never_done_but_become_idle() -> None:
    assert status(commit=HOUR) == WORKING
    assert status(commit=HOUR, clock=HOUR + IDLE_SECONDS) == WORKING
    assert status(commit=HOUR, clock=HOUR + IDLE_SECONDS + 1) == IDLE


def test_a_commit_after_the_last_item_was_done_is_work_and_the_merge_itself_is_not() -> None:
    assert status(MERGED, commit=HOUR + 2) == DONE
    assert status(MERGED, commit=2 * HOUR, last=2 * HOUR) == WORKING
    # A comment or a deployment after the merge.
    assert status(MERGED, commit=HOUR, last=9 * HOUR) == DONE


def test_what_was_done_long_ago_is_done_rather_than_idle() -> None:
    assert status(MERGED, clock=2 * IDLE_SECONDS) == DONE
    assert status(OPEN_ISSUE, clock=2 * IDLE_SECONDS) == IDLE


def test_items_and_commits_are_known_by_their_keys() -> None:
    items = ["github:pr:1#5", "github:issue:1#5", "linear:issue:x", "sentry:issue:9:1"]
    assert all(is_item(key) for key in [*items, "github:discussion:1#5"])
    assert not any(is_item(key) for key in ("github:commit:a", "vercel:deployment:d", "file:a.py"))
    assert is_commit("github:commit:a")
    assert not is_commit("github:pr:1#5")


_ITEMS = st.lists(
    st.none()
    | st.builds(ItemStatus, st.sampled_from(["open", "merged", "closed"]), st.floats(0, 9)),
    max_size=5,
)


@given(_ITEMS, st.randoms())
def test_any_order_of_items_gives_the_same_status(
    items: list[ItemStatus | None], random: object
) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert status(*items, commit=4 * HOUR) == status(*shuffled, commit=4 * HOUR)


def test_a_key_is_of_an_item_or_a_commit_if_its_category_is() -> None:
    keys = [f"{prefix}:1#5" for prefix in categories()] + ["github:prune:1", "unknown:1"]
    assert [key for key in keys if is_item(key)] == [k for k in keys if category_of(k) in ITEMS]
    assert [key for key in keys if is_commit(key)] == [
        key for key in keys if category_of(key) == "commit"
    ]
