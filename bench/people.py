"""Compares the pairs of aliases that the people rule joins with the repositories' mailmaps.

`python -m bench.people [FOLDER]`: precision, recall and F1 over pairs, per history; FOLDER is the
corpus (default ../shared/corpus). Exact evidence alone finds only a part of the pairs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.people import Identity, decide

Alias = tuple[str, str]
CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


def histories(corpus: Path) -> Iterator[tuple[str, dict[Alias, object]]]:
    """(name, alias -> the person it belongs to) of each history with a mailmap."""
    for path in sorted(corpus.glob("gold/*/people.tsv")):
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        yield f"gold/{path.parent.name}", {(row[0], row[1]): row[2].lower() for row in rows}
    for path in sorted(corpus.glob("people/*.tsv")):
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        yield f"people/{path.stem}", {(row[0], row[1]): (row[2], row[3].lower()) for row in rows}


def pairs(groups: Mapping[Alias, object], aliases: Sequence[Alias]) -> set[tuple[Alias, Alias]]:
    by_group: dict[object, list[Alias]] = {}
    for alias in sorted(aliases):
        by_group.setdefault(groups[alias], []).append(alias)
    return {pair for group in by_group.values() for pair in combinations(group, 2)}


def main() -> None:
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    print(
        "history            aliases  pairs  found  right  precision  recall     F1  (covered people only)"
    )
    for name, gold in histories(corpus):
        key_of = {alias: f"git:{keys.git_identity(*alias)}" for alias in gold}
        identities = [
            Identity(
                "git", keys.git_identity(*alias), email=alias[1].strip().lower(), name=alias[0]
            )
            for alias in gold
        ]
        actor_of = {
            member.identity.key: actor.id
            for actor in decide("bench", identities)
            for member in actor.members
        }
        person_of = {alias: actor_of[key_of[alias]] for alias in gold}
        people: dict[object, int] = {}
        for person in gold.values():
            people[person] = people.get(person, 0) + 1
        covered = [alias for alias, person in gold.items() if people[person] > 1]
        for label, aliases in ((name, covered), ("  all aliases", list(gold))):
            wanted = pairs(gold, aliases)
            joined_pairs = pairs(person_of, aliases)
            right = len(wanted & joined_pairs)
            precision, recall = right / max(1, len(joined_pairs)), right / max(1, len(wanted))
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            print(
                f"{label:<18} {len(aliases):>7} {len(wanted):>6} {len(joined_pairs):>6} {right:>6}"
                f" {precision:>10.3f} {recall:>7.3f} {f1:>6.3f}"
            )


if __name__ == "__main__":
    main()
