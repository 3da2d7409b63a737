"""The units that clusters are made of: what somebody did, not who ended it and when."""

from __future__ import annotations

from lightfast_pipelines.domain.consolidation import Happening, find_threads
from lightfast_pipelines.domain.threads import ThreadEdge

HOUR = 3600.0
PULL, WORK, MERGE = "github:pr:1#7", "github:commit:aa", "github:commit:bb"


def _happening(key: str, transition: str, hour: float, title: str, author: str) -> Happening:
    return Happening(f"{key}|{transition}", key, hour * HOUR, title, author)


OPENED = _happening(PULL, "opened", 1, "[PR Opened] Add a cart", "ann")
COMMIT = _happening(WORK, "pushed", 0, "[Commit] Add a cart", "ann")
MERGED = _happening(PULL, "merged|2024-05-01", 99, "[PR Merged] Add a cart", "maintainer")
MERGING = _happening(MERGE, "pushed", 99, "[Commit] Merge pull request #7 from ann/x", "maintainer")
LINKS = [ThreadEdge(PULL, "contains", WORK), ThreadEdge(PULL, "merges_as", MERGE)]


def test_who_merges_a_pull_request_and_when_is_not_its_work() -> None:
    [unit] = find_threads([COMMIT, OPENED, MERGED, MERGING], LINKS).units
    assert list(unit.times) == [0, HOUR]
    assert unit.authors == frozenset(["ann"])


def test_a_merge_of_which_nothing_else_is_known_is_a_unit_of_its_own() -> None:
    [unit] = find_threads([MERGING], []).units
    assert list(unit.times) == [99 * HOUR]
    assert unit.authors == frozenset(["maintainer"])


def test_a_squash_is_work_if_there_is_no_other() -> None:
    squash = _happening(MERGE, "pushed", 99, "[Commit] Add a cart (#7)", "ann")
    [unit] = find_threads([OPENED, MERGED, squash], LINKS).units
    assert list(unit.times) == [HOUR, 99 * HOUR]
    # But not beside the commits that it squashes.
    [unit] = find_threads([COMMIT, OPENED, MERGED, squash], LINKS).units
    assert list(unit.times) == [0, HOUR]
