"""What a person works on, by example, and the same whatever the order of what they did."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.profiles import (
    HALF_LIFE_SECONDS,
    Part,
    contribution,
    directory_of,
    profile_of,
)
from tests.depth import examples

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


def commit(
    *files: str, at: float = NOON, category: str = "feature", entities: tuple[str, ...] = ()
) -> Part:
    return Part(at, "commit.pushed", "change", category, True, True, files, entities)


def merge(*, at: float = NOON, did: bool, is_own: bool) -> Part:
    return Part(at, "pull-request.merged", "change", "feature", did, is_own)


def test_domains_are_directories_categories_and_things_named_more_than_once() -> None:
    profile = profile_of(
        [
            commit("src/cart/a.py", "src/cart/b.py", entities=("error:KeyError", "error:Rare")),
            commit("src/cart/a.py", "README.md", category="bug_fix", entities=("error:KeyError",)),
        ]
    )
    assert profile.expertise == {
        "directory:src/cart": 1.0,
        "directory:.": 0.33,
        "category:bug_fix": 1.0,
        "category:feature": 1.0,
        "error:KeyError": 1.0,
    }


def test_a_commit_that_touches_a_thousand_files_is_one_piece_of_work() -> None:
    moved = commit(*(f"vendor/{number}.js" for number in range(1_000)))
    own = [commit("src/cart/a.py") for _ in range(2)]
    assert profile_of([moved, *own]).expertise["directory:vendor"] == 0.5


def test_the_weight_of_evidence_halves_every_ninety_days() -> None:
    old = commit("old/a.py", at=NOON - HALF_LIFE_SECONDS)
    expertise = profile_of([old, commit("new/a.py")]).expertise
    assert (expertise["directory:new"], expertise["directory:old"]) == (1.0, 0.5)


def test_a_profile_does_not_depend_on_the_current_time() -> None:
    def shifted(days: float) -> dict[str, float]:
        parts = [
            commit("a/x.py", at=NOON - days * DAY),
            commit("b/x.py", at=NOON - (days + 40) * DAY),
        ]
        return dict(profile_of(parts).expertise)

    assert shifted(0) == shifted(7_000)


def test_merging_others_work_counts_half_and_as_a_review() -> None:
    profile = profile_of([merge(did=True, is_own=False), commit(category="bug_fix")])
    assert profile.expertise == {"category:bug_fix": 1.0, "category:feature": 0.5}
    assert profile.contributions == {"code": 0.5, "review": 0.5}


def test_what_others_do_with_somebodys_work_is_no_contribution_and_no_activity() -> None:
    mine = [commit(at=NOON) for _ in range(10)]
    merged_at_night = merge(at=NOON + 12 * 3_600, did=False, is_own=True)
    profile = profile_of([*mine, merged_at_night])
    assert profile.contributions == {"code": 1.0}
    assert profile.hours == (12,)
    assert profile.last_active == NOON
    assert profile.observations == 11


def test_active_hours_are_above_the_mean_and_unknown_below_ten_acts() -> None:
    # 24 deeds are one an hour in the mean: an hour with one is not above it.
    parts = [commit(at=NOON)] * 12 + [commit(at=NOON + 3_600)] * 11 + [commit(at=NOON + 7_200)]
    assert profile_of(parts).hours == (12, 13)
    assert profile_of([commit()] * 9).hours == ()


def test_confidence_grows_with_evidence_and_is_never_certain() -> None:
    confidence = [profile_of([commit()] * count).confidence for count in (1, 10, 100, 10_000)]
    assert confidence == [0.09, 0.5, 0.91, 0.95]


@pytest.mark.parametrize(
    ("source_type", "observation_type", "is_own", "expected"),
    [
        ("commit.pushed", "change", True, "code"),
        ("pull-request.opened", "change", True, "pull_request"),
        ("pull-request.merged", "change", False, "review"),
        ("pull-request.closed", "change", False, "triage"),
        ("review.submitted", "review", True, "review"),
        ("review-comment.created", "review", True, "discussion"),
        ("comment.created", "discussion", True, "discussion"),
        ("issue.opened", "issue", True, "issue"),
        ("issue.closed", "issue", True, "triage"),
        ("deployment.succeeded", "deployment", True, "deployment"),
        ("something.new", "other", True, "other"),
    ],
)
def test_contributions_are_named(
    source_type: str, observation_type: str, is_own: bool, expected: str
) -> None:
    assert contribution(Part(0, source_type, observation_type, "other", True, is_own)) == expected


def test_directories_are_at_most_three_deep() -> None:
    assert [directory_of(p) for p in ("a.py", "src/a.py", "a/b/c/d/e.py")] == [".", "src", "a/b/c"]


def test_nobody_has_a_profile_without_having_taken_part() -> None:
    with pytest.raises(ValueError, match="without having taken part"):
        profile_of([])


PARTS = st.builds(
    Part,
    at=st.integers(0, 2_000_000_000).map(float),
    source_type=st.sampled_from(["commit.pushed", "pull-request.merged", "review.submitted"]),
    observation_type=st.sampled_from(["change", "review"]),
    category=st.sampled_from(["bug_fix", "feature", "other"]),
    did=st.booleans(),
    is_own=st.booleans(),
    files=st.lists(st.sampled_from(["a/x.py", "b/y.py", "z.md"]), max_size=3, unique=True),
    entities=st.lists(st.sampled_from(["error:A", "config:B"]), max_size=2, unique=True),
)


@examples(25)
@given(
    st.lists(PARTS, min_size=1, max_size=12).flatmap(
        lambda p: st.tuples(st.just(p), st.permutations(p))
    )
)
def test_the_order_of_what_was_done_does_not_matter(pair: tuple[list[Part], list[Part]]) -> None:
    profile = profile_of(pair[0])
    assert profile == profile_of(pair[1])
    assert list(profile.expertise.items()) == list(profile_of(pair[1]).expertise.items())
    assert all(0 < weight <= 1 for weight in profile.expertise.values())
