"""Clusters: what belongs together, what time keeps apart, and that order does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.affinity import likely_pairs
from lightfast_pipelines.domain.clusters import cluster_id, group, join
from lightfast_pipelines.domain.consolidation import Happening, find_threads
from lightfast_pipelines.domain.pair_evidence import WINDOW_SECONDS, Unit, seconds_apart, stem
from lightfast_pipelines.domain.threads import ThreadEdge
from lightfast_pipelines.domain.work_marks import WorkMarks, read_marks

HOUR = 3600.0


class Alike:
    """Units mean the same if their keys begin with the same letter."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units

    def nearest(self) -> Iterable[tuple[int, int]]:
        return ()

    def cosines(self, pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
        return [float(self._units[a].key[0] == self._units[b].key[0]) for a, b in pairs]


def unit(key: str, hour: float, *files: str, by: str = "ann", declared: bool = False) -> Unit:
    return Unit(key, (hour * HOUR,), frozenset([by]), frozenset(files), declared)


def groups(units: Sequence[Unit]) -> list[list[str]]:
    return [[units[place].key for place in group] for group in join(units, Alike(units))]


def test_work_of_one_author_on_the_same_files_within_the_hour_is_one_cluster() -> None:
    units = [
        unit("a1", 0, "parser.py"),
        unit("a2", 0.5, "parser.py", "lexer.py"),
        unit("b1", 0.6, "style.css", by="ben"),
    ]
    assert groups(units) == [["a1", "a2"], ["b1"]]


def test_an_event_a_day_earlier_is_as_near_as_one_a_day_later() -> None:
    assert seconds_apart((0, 90), (100, 500)) == seconds_apart((100, 500), (0, 90)) == 10
    middle, before, after = unit("a1", 48, "x"), unit("a2", 24, "x"), unit("a3", 72, "x")
    units = [middle, before, after]
    odds = {(a, b): p for a, b, p in likely_pairs(units, Alike(units))}
    assert odds[1, 0] == pytest.approx(odds[0, 2])


def test_units_further_apart_than_the_window_are_not_compared() -> None:
    units = [unit("a1", 0, "x"), unit("a2", WINDOW_SECONDS / HOUR + 1, "x")]
    assert list(likely_pairs(units, Alike(units))) == []


def test_two_pull_requests_need_more_evidence_than_two_commits() -> None:
    commits = [unit("a1", 0, "x"), unit("a2", 3, "x")]
    declared = [unit("a1", 0, "x", declared=True), unit("a2", 3, "x", declared=True)]
    odds = [next(iter(likely_pairs(units, Alike(units))))[2] for units in (commits, declared)]
    assert odds[0] > odds[1]


def test_a_bridge_does_not_join_two_long_stories() -> None:
    first = [unit(f"a{n}", n / 10, "x.py") for n in range(6)]
    second = [unit(f"b{n}", 48 + n / 10, "y.py", by="ben") for n in range(6)]
    bridge = [unit("a9", 0.7, "x.py", "y.py"), unit("b9", 47.9, "y.py", "x.py", by="ben")]
    found = groups(first + second + bridge)
    of = {key: tuple(group) for group in found for key in group}
    assert of["a0"] == of["a5"]
    assert of["b0"] == of["b5"]
    assert of["a0"] != of["b0"]


def test_a_group_whose_members_are_unsure_of_each_other_is_cut_into_sure_ones() -> None:
    units = [unit(f"a{n}", n) for n in range(6)]
    sure = [(0, 1, 0.95), (2, 3, 0.95), (4, 5, 0.95)]
    unsure = [(a, b, 0.2) for a in range(6) for b in range(a + 1, 6) if a // 2 != b // 2]
    assert group(units, sure + unsure) == [[0, 1], [2, 3], [4, 5]]
    assert group(units, [(a, b, 0.8) for a, b, _ in sure + unsure]) == [[0, 1, 2, 3, 4, 5]]


def test_a_title_says_whether_work_begins_goes_on_or_is_a_whole_pull_request() -> None:
    plain = read_marks("[Commit] Parse the header once", "Parse the header once")
    assert plain == WorkMarks(title_words=plain.title_words)
    assert read_marks("[Commit] fix typo", "fix typo").follows_up
    assert read_marks("[Commit] Update src/parser.py", "").follows_up
    assert read_marks("[Commit] release 7.3.0", "").is_routine
    assert read_marks("[Commit] Parse it (#12)", "").is_whole
    assert not read_marks("[Commit] Parse it (twice)", "").is_whole
    for text in ("Fixes #12", "closes: owner/name#3", "Resolves https://x.io/issues/1", "Closes "):
        assert read_marks("[Commit] Parse", f"Parse\n\n{text}\n").closes, text
    assert not read_marks("[Commit] Fix the parser", "It was fixed by hand").closes


def test_a_thread_is_the_work_of_who_began_it_and_not_of_who_merged_it() -> None:
    pull, first, tidying, merge = "github:pr:1#2", *(f"github:commit:{n:040x}" for n in (1, 2, 3))
    happenings = [
        Happening(f"{first}|pushed", first, 0, "Parse it", author="ann"),
        Happening(f"{pull}|opened|0", pull, 60, "Parse it", author="ann"),
        Happening(f"{tidying}|pushed", tidying, 5_000, "Format", author="cat"),
        Happening(f"{pull}|merged|9", pull, 9_000, "Parse it", author="cat"),
        Happening(f"{merge}|pushed", merge, 9_000, "Merge pull request #2", author="cat"),
    ]
    links = [ThreadEdge(pull, "contains", first), ThreadEdge(pull, "contains", tidying)]
    links.append(ThreadEdge(pull, "merges_as", merge))
    for shown in (happenings, happenings[::-1]):
        [found] = find_threads(shown, links).units
        assert (found.authors, found.times) == (frozenset(["ann"]), (0, 60))
    review = Happening(f"{pull}|review.submitted|1", pull, -9, "Parse it", author="cat")
    [known_late] = find_threads([review, *happenings[2:], happenings[0]], links).units
    assert known_late.authors == {"ann"}
    [alone] = find_threads(happenings[3:4], []).units
    assert (alone.authors, alone.times) == (frozenset(["cat"]), (9_000,))


def test_a_file_is_as_rare_in_ten_years_of_history_as_in_ten_weeks() -> None:
    now = [unit("a1", 0, "x.py"), unit("a2", 5, "x.py"), unit("b", 24 * 70, "y.py", by="Ben")]
    years = [unit(f"c{n}", 24 * 90 * (n + 1), "x.py", by=f"{n}") for n in range(40)]
    odds = [
        {(units[a].key, units[b].key): p for a, b, p in likely_pairs(units, Alike(units))}
        for units in (now, now + years)
    ]
    assert odds[0]["a1", "a2"] == odds[1]["a1", "a2"]


def test_two_commits_of_a_young_history_are_not_the_only_work_of_their_author() -> None:
    pair = [unit("a1", 0, "x.py"), unit("a2", 100, "y.py")]
    quiet = [unit("b1", -24 * 70, "z.py", by="Ben"), unit("b2", 24 * 70, "z.py", by="Ben")]
    young, old = (
        {(units[a].key, units[b].key): p for a, b, p in likely_pairs(units, Alike(units))}
        for units in (pair, pair + quiet)
    )
    assert young["a1", "a2"] < old["a1", "a2"] / 2


def test_neither_the_title_nor_trailers_count_as_explanation() -> None:
    text = "Parse it\n\nCo-authored-by: Ann <a@x.io>\nSigned-off-by: Ben <b@x.io>"
    assert read_marks("[Commit] Parse it", text).text_words == 0


def test_a_file_and_its_test_have_the_same_stem() -> None:
    assert stem("file:src/parser.py") == stem("file:tests/test_parser.py") == "parser"
    assert stem("file:parser_test.go") == "parser"
    assert stem("file:README.md") == "readme"


def test_the_id_depends_on_the_earliest_member_and_its_workspace() -> None:
    assert len(cluster_id("o", "w", "s")) == 21
    assert cluster_id("o", "w", "s") != cluster_id("o", "v", "s")


_UNITS = st.lists(
    st.builds(
        Unit,
        key=st.text("abc", min_size=1, max_size=4),
        times=st.lists(st.integers(0, 60).map(lambda n: n * HOUR), min_size=1, max_size=3).map(
            lambda times: tuple(sorted(times))
        ),
        authors=st.frozensets(st.sampled_from(["ann", "ben"]), max_size=2),
        files=st.frozensets(st.sampled_from(["x", "y", "z"]), max_size=3),
        is_declared=st.booleans(),
    ),
    max_size=14,
    unique_by=lambda unit: unit.key,
)


@given(_UNITS, st.randoms())
def test_any_order_of_units_gives_the_same_groups(units: list[Unit], random: object) -> None:
    shuffled = list(units)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ours = [sorted(group) for group in groups(units)]
    assert ours == [sorted(group) for group in groups(shuffled)]
    assert sorted(key for group in ours for key in group) == sorted(unit.key for unit in units)
