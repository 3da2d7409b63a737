"""What a rule over text costs grows with the text and no faster, whatever the text."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from lightfast_pipelines.domain.clusters import join
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Edge, Mention, Reference, Thing
from lightfast_pipelines.domain.pair_evidence import Unit
from tests.domain.pathological import RULES, TEXTS, statement_of
from tests.operations import operations

# A rule that looks at each of 60,000 letters for each other one takes some ten minutes for one text.
LETTERS = 60_000
MOST_CPU_SECONDS = 100


@pytest.mark.parametrize("name", TEXTS)
def test_twice_the_text_takes_at_most_some_twice_the_operations(name: str) -> None:
    make = TEXTS[name]
    for rule_name, rule in RULES.items():
        rule(make(1_000))  # what is loaded or remembered once
        short, long = make(4_000), make(8_000)
        first = operations(lambda rule=rule, text=short: rule(text))  # type: ignore[misc]
        second = operations(lambda rule=rule, text=long: rule(text))  # type: ignore[misc]
        assert second <= 2.5 * first + 200, rule_name


def _read_by_a_process_with_a_budget(letters: int, *which: str) -> None:
    """What happens within an expression is no operation that Python shows: so it has a budget."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS))

    ended = subprocess.run(
        [sys.executable, "-m", "tests.domain.pathological", str(letters), *which],
        preexec_fn=limit,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()


def test_no_expression_tries_a_text_again_from_each_of_its_letters() -> None:
    _read_by_a_process_with_a_budget(LETTERS)


def test_what_is_folded_away_is_not_read_again_from_each_tag() -> None:
    # Of each eight letters one tag, so it takes more of them until that shows: it was an hour.
    texts = (repr("<details"), repr("<details><summary></details>"))
    _read_by_a_process_with_a_budget(1_000_000, "enrich", *texts)


def test_clusters_of_twice_the_units_take_at_most_some_twice_the_operations() -> None:
    """Units of one author, each near the ones before and after it, as the commits of a push are."""

    class SameMeaning:
        def nearest(self) -> list[tuple[int, int]]:
            return []

        def cosines(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
            return [0.5] * len(pairs)

    def run(number: int) -> int:
        units = [
            Unit(f"{n:06}", (60.0 * n,), frozenset(("ann",)), frozenset((f"file:{n % 40}",)))
            for n in range(number)
        ]
        return operations(lambda: join(units, SameMeaning()))

    assert run(1_200) <= 2.2 * run(600)


def test_twice_the_labels_files_and_edges_take_at_most_some_twice_the_operations() -> None:
    def run(number: int) -> int:
        things = [Thing(f"github:commit:{n:040x}", str(n), None, (f"a{n}",)) for n in range(number)]
        stated = statement_of("Many at once")
        whole = replace(
            stated,
            references=tuple(Reference("label", str(n), label=f"Label {n}") for n in range(number)),
            mentions=tuple(Mention(one, "reference") for one in things),
            edges=tuple(
                Edge(stated.subject, kind, one)
                for one in things
                for kind in ("references", "reverts")
            ),
        )
        enrich(whole)
        return operations(lambda: enrich(whole))

    assert run(2_000) <= 2.5 * run(1_000)
