"""A key that does not fit into an index row is bounded; other keys stay unchanged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Account, Occurrence, Route, StateChange, Thing
from lightfast_pipelines.providers.sentry import keys as sentry_keys

LONG = "主" * 500


@given(st.text(max_size=2_000))
def test_a_bounded_key_fits_keeps_its_beginning_and_is_bounded_once(text: str) -> None:
    key = keys.bounded(f"github:branch:1:{text}")
    assert len(key.encode("utf-8", "surrogatepass")) <= keys.LONGEST_KEY
    assert key.startswith("github:branch:1:")
    assert keys.bounded(key) == key
    if len(text.encode("utf-8", "surrogatepass")) < keys.LONGEST_KEY - 16:
        assert key == f"github:branch:1:{text}"


def test_long_keys_with_the_same_beginning_stay_different() -> None:
    assert len({keys.github_branch(1, LONG + end) for end in ("", "a", "b", LONG)}) == 4
    assert keys.github_branch(1, LONG) != keys.github_tag(1, LONG)


def test_a_key_after_a_prefix_stays_unchanged() -> None:
    source_id = keys.source_id(keys.github_branch(1, LONG), "created", LONG)
    assert keys.telling(source_id) == f"observation:{source_id}"
    assert Thing(keys.telling(source_id)).key == f"observation:{source_id}"
    alias = keys.linear_page(LONG, "project", "x")
    assert keys.candidate_address(alias) == f"candidate:address:{alias}"


def test_statements_and_key_functions_bound_a_key_alike() -> None:
    thing = Thing(f"github:branch:1:{LONG}", aliases=(f"linear:ref:branch:{LONG}",))
    assert thing.key == keys.github_branch(1, LONG)
    assert thing.aliases == (keys.linear_issue_by_branch(LONG),)
    assert Occurrence(f"sentry:release:acme:{LONG}", "e").series == sentry_keys.release(
        "acme", LONG
    )


@pytest.mark.parametrize(
    "value",
    [
        Account("git", f"{LONG} <ada@acme.test>", email=f"{LONG}@acme.test").source_id,
        Account("git", "x", email=f"{LONG}@acme.test").email,
        StateChange(
            Thing("a"), f"live_deployment:{LONG}", "x", datetime(2024, 1, 1, tzinfo=UTC)
        ).state_type,
        Route(f"vercel:project:{LONG}", LONG).resource_key,
        Route("vercel:project:1", LONG).resource_id,
        Route("a", "b", alternatives=((f"vercel:team:{LONG}", LONG),)).alternatives[0][0],
        Route("a", "b", via=LONG).via,
    ],
)
def test_every_indexed_value_is_bounded(value: str | None) -> None:
    assert value is not None
    assert len(value.encode()) <= keys.LONGEST_KEY


def test_a_long_key_is_not_cut_in_the_middle_of_a_word() -> None:
    """Half of a token would not be recognized as a secret any more."""
    path = "file:" + "a" * 200 + "/" + "ghp_" + "x" * 700
    assert keys.bounded(path).partition("…")[0] == "file:" + "a" * 200 + "/"
