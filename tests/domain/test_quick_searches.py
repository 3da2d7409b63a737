"""The quick search that saves a slow one finds something in every text in which the slow one does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import (
    entities_in_text,
    identifiers,
    references,
    sentry_names,
    written_relations,
)

PAIRS = {
    "endpoint": (entities_in_text._IN_ENDPOINT, entities_in_text._ENDPOINT),
    "config": (entities_in_text._IN_CONFIG, entities_in_text._CONFIG),
    "file": (entities_in_text._IN_FILE, entities_in_text._FILE),
    "address": (references._IN_URL, references._URL),
    "identifier": (identifiers._IN_IDENTIFIER, identifiers._IDENTIFIER),
    "candidate": (identifiers._IN_CANDIDATE, identifiers._CANDIDATE),
    "candidate of Sentry's": (sentry_names._IN_NAME, sentry_names._NAME),
}


@pytest.mark.parametrize(("quick", "slow"), PAIRS.values(), ids=PAIRS.keys())
@given(data=st.data())
def test_whatever_the_slow_search_finds_passes_the_quick_one(
    data: st.DataObject, quick: re.Pattern[str], slow: re.Pattern[str]
) -> None:
    text = data.draw(st.from_regex(slow))
    assert slow.search(text)
    assert quick.search(text)


WORDS = ["SHOP", "FRONT", "END", "A", "9", "1A", "AB2", "-", "-", "-", " ", "x", "_", ".", "/", "é"]


@given(st.lists(st.sampled_from(WORDS), max_size=9).map("".join))
def test_a_short_id_is_looked_for_in_every_text_that_may_hold_one(text: str) -> None:
    assert identifiers._IN_IDENTIFIER.search(text) or not identifiers._SHORT_ID.search(text)


@given(st.from_regex(written_relations._REVERTS))
def test_a_revert_is_looked_for_in_every_text_that_may_state_one(text: str) -> None:
    lowered = text.lower()
    assert "revert" in lowered or "roll" in lowered or "back" in lowered
