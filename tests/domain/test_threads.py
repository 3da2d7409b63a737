"""Threads: which explicit edges join, which do not, and that order does not matter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.threads import (
    MOST_THREADS_OF_A_THING,
    ThreadEdge,
    thread_keys,
    thread_of,
)


def commit(number: int) -> str:
    return f"github:commit:{number:040x}"


def pull(number: int) -> str:
    return f"github:pr:1#{number}"


def issue(number: int) -> str:
    return f"github:issue:1#{number}"


def test_a_pull_request_its_commits_its_merge_and_the_issue_it_fixes_are_one_thread() -> None:
    links = [
        ThreadEdge(pull(1), "contains", commit(1)),
        ThreadEdge(pull(1), "merges_as", commit(2)),
        ThreadEdge(pull(1), "fixes", issue(5)),
        ThreadEdge("linear:issue:9", "tracked_in", pull(1)),
        ThreadEdge("vercel:deployment:d", "deploys", commit(2)),
    ]
    found = thread_keys([commit(1), commit(2), commit(3), issue(5)], links)
    one = {found[key] for key in (commit(1), commit(2), issue(5), pull(1), "vercel:deployment:d")}
    # The smallest key, whether or not an observation is about it.
    assert one == {commit(1)}
    assert found[commit(3)] == commit(3)


def test_weak_edges_join_nothing() -> None:
    for kind in ("references", "mentions", "co_occurs", "on_branch", "cherry_picks", "belongs_to"):
        found = thread_keys([pull(1), issue(2)], [ThreadEdge(pull(1), kind, issue(2))])
        assert found[pull(1)] != found[issue(2)], kind


def test_a_release_does_not_make_one_thread_of_all_that_it_contains() -> None:
    release = "github:release:1:v2"
    links = [ThreadEdge(release, "contains", commit(n)) for n in range(3)]
    assert len(set(thread_keys([commit(n) for n in range(3)], links).values())) == 3


def test_a_pull_request_that_merges_a_branch_back_does_not_swallow_the_others() -> None:
    links = [ThreadEdge(pull(1), "contains", commit(1)), ThreadEdge(pull(2), "contains", commit(2))]
    links += [ThreadEdge(pull(0), "contains", commit(n)) for n in (1, 2, 3)]
    links += [ThreadEdge(pull(3), "merges_as", commit(3))]
    found = thread_keys([], links)
    assert found[commit(1)] == found[pull(1)]
    assert found[commit(2)] == found[pull(2)]
    assert found[commit(3)] == found[pull(3)]
    assert len({found[pull(n)] for n in (0, 1, 2, 3)}) == 4


def test_an_issue_that_very_many_pull_requests_fix_joins_none_of_them() -> None:
    many = range(MOST_THREADS_OF_A_THING + 1)
    links = [ThreadEdge(pull(n), "fixes", issue(99)) for n in many]
    assert len(set(thread_keys([], links).values())) == len(many) + 1
    # One pull request whose every commit says so is one.
    links = [ThreadEdge(pull(1), "contains", commit(n)) for n in range(30)]
    links += [ThreadEdge(commit(n), "fixes", issue(99)) for n in range(30)]
    assert len(set(thread_keys([], links).values())) == 1


def test_a_commit_deployed_to_very_many_projects_keeps_its_deployments() -> None:
    links = [ThreadEdge(f"vercel:deployment:{n}", "deploys", commit(1)) for n in range(40)]
    assert len(set(thread_keys([], links).values())) == 1


def test_the_events_of_a_branch_over_years_are_no_thread() -> None:
    branch = "github:branch:1:main"
    assert thread_of(branch, "first push", {branch: branch}) == "first push"
    assert thread_of(pull(1), "opened", {pull(1): commit(1)}) == commit(1)


_KEYS = st.one_of(
    st.integers(0, 5).map(commit), st.integers(0, 4).map(pull), st.integers(0, 4).map(issue)
)
_LINKS = st.lists(
    st.builds(
        ThreadEdge,
        _KEYS,
        st.sampled_from(["contains", "merges_as", "fixes", "duplicates", "reverts", "mentions"]),
        _KEYS,
    ),
    max_size=20,
)


@given(_LINKS, st.lists(_KEYS, max_size=5), st.randoms())
def test_any_order_and_repetition_of_edges_gives_the_same_threads(
    links: list[ThreadEdge], subjects: list[str], random: object
) -> None:
    shuffled = links * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = thread_keys(subjects, links)
    assert found == thread_keys(reversed(subjects), shuffled)
    # A thread is named by its own smallest member.
    assert all(found[name] == name and name <= key for key, name in found.items())
