"""What is said to have happened to clusters is what happened, said once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.cluster_changes import (
    ENDS,
    ClusterEvent,
    DecidedCluster,
    LoggedCluster,
    cluster_events,
    successors,
)
from lightfast_pipelines.domain.cluster_status import OPEN, ClusterStatus

CLOSED = ClusterStatus("closed", "done")
# member -> cluster
Groups = Mapping[str, str]


def groups(*members: str) -> Groups:
    """Each cluster is named by its smallest member, as the real ones are."""
    return {member: min(cluster) for cluster in members for member in cluster}


def moves(before: Groups, after: Groups) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for member, cluster in before.items():
        if member in after:
            counted[cluster][after[member]] += 1
    return counted


def logged(clusters: Groups, closed: Sequence[str] = ()) -> dict[str, LoggedCluster]:
    sizes = Counter(clusters.values())
    return {cluster: LoggedCluster(size, cluster in closed) for cluster, size in sizes.items()}


def decided(clusters: Groups, closed: Sequence[str] = ()) -> dict[str, DecidedCluster]:
    sizes = Counter(clusters.values())
    return {
        cluster: DecidedCluster(size, CLOSED if cluster in closed else OPEN)
        for cluster, size in sizes.items()
    }


def changes(before: Groups, after: Groups) -> list[tuple[str, str, dict[str, object]]]:
    events = cluster_events(logged(before), decided(after), moves(before, after))
    return [(event.cluster_id, event.event, dict(event.detail)) for event in events]


def test_births_growth_and_shrinking() -> None:
    assert changes({}, groups("ab")) == [("a", "created", {"observations": 2})]
    assert changes(groups("ab"), groups("abc")) == [
        ("a", "grown", {"observations": 3, "before": 2})
    ]
    assert changes(groups("abc"), groups("ab")) == [
        ("a", "shrunk", {"observations": 2, "before": 3})
    ]
    assert changes(groups("ab"), {}) == [("a", "removed", {"before": 2, "into": None})]


def test_a_smaller_member_renames_its_cluster_and_a_join_merges_the_other() -> None:
    assert changes(groups("bc"), groups("abc")) == [
        ("a", "created", {"observations": 3, "from": ["b"]}),
        ("b", "renamed", {"before": 2, "into": "a"}),
    ]
    assert changes(groups("ab", "cd"), groups("abcd")) == [
        ("a", "grown", {"observations": 4, "before": 2}),
        ("c", "merged", {"before": 2, "into": "a"}),
    ]
    # The larger of two that a new smallest member joins lives on under the new id.
    assert [event[:2] for event in changes(groups("bc", "def"), groups("abcdef"))] == [
        ("a", "created"),
        ("b", "merged"),
        ("d", "renamed"),
    ]


def test_a_split_says_into_which_clusters_and_how_many() -> None:
    assert changes(groups("abcd"), groups("ab", "cd")) == [
        ("c", "created", {"observations": 2, "from": ["a"]}),
        ("a", "split", {"observations": 2, "before": 4, "into": {"a": 2, "c": 2}, "clusters": 2}),
    ]


def test_an_id_that_a_split_ends_has_no_observations_any_more() -> None:
    [created, _, split] = changes(groups("bcd", "ae"), groups("abe", "cd"))
    assert created[:2] == ("c", "created")
    assert split == (
        "b",
        "split",
        {"observations": 0, "before": 3, "into": {"c": 2, "a": 1}, "clusters": 2},
    )


def test_closing_and_reopening_are_said_once() -> None:
    before, after = groups("ab"), groups("ab")
    same = moves(before, after)
    closing = cluster_events(logged(before), decided(after, ["a"]), same)
    assert closing == [ClusterEvent("a", "closed", {"observations": 2, "reason": "done"})]
    assert cluster_events(logged(before, ["a"]), decided(after, ["a"]), same) == []
    reopening = cluster_events(logged(before, ["a"]), decided(after), same)
    assert reopening == [ClusterEvent("a", "reopened", {"observations": 2})]


def test_a_rebuild_that_decides_the_same_says_nothing() -> None:
    clusters = groups("abc", "de")
    assert cluster_events(logged(clusters), decided(clusters), {}) == []


_GROUPS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3)).map(
    lambda numbers: groups(
        *("".join(m for m, n in numbers.items() if n == number) for number in set(numbers.values()))
    )
)


def _replayed(
    known: Mapping[str, LoggedCluster], events: Sequence[ClusterEvent]
) -> dict[str, LoggedCluster]:
    """What a reader of the log knows after these events."""
    after = dict(known)
    for event in events:
        if event.event in ENDS or not event.detail["observations"]:
            del after[event.cluster_id]
        else:
            was = after.get(event.cluster_id, LoggedCluster(0, False))
            is_closed = event.event == "closed" or (was.is_closed and event.event != "reopened")
            after[event.cluster_id] = LoggedCluster(event.detail["observations"], is_closed)
    return after


@given(st.lists(st.tuples(_GROUPS, st.sets(st.sampled_from("abcdefgh"))), max_size=5))
def test_the_log_tells_the_clusters_and_former_ids_lead_to_them(
    decisions: list[tuple[Groups, set[str]]],
) -> None:
    known: dict[str, LoggedCluster] = {}
    before: Groups = {}
    for clusters, closed in decisions:
        moved = moves(before, clusters)
        current = decided(clusters, sorted(closed))
        events = cluster_events(known, current, moved)
        once = [(event.cluster_id, event.event) for event in events]
        assert len(once) == len(set(once))
        known = _replayed(known, events)
        assert known == logged(clusters, sorted(closed))
        assert cluster_events(known, current, moves(clusters, clusters)) == []
        # Who merged or was renamed lives on in the cluster that the event names.
        for event in events:
            if event.event in ("merged", "renamed"):
                assert event.detail["into"] == successors(moved)[event.cluster_id]
        before = clusters
