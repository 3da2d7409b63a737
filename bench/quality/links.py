"""Compares the relationships that deliveries state with labels made by hand, beside a plain regex.

`python -m bench.quality.links [CORPUS]`: precision and recall over bench/gold/references.tsv, of all
relationships and of those that are written in a text. The labels of the demo need no corpus. The regex
is what one would write in a minute: a number after a closing word is fixed, any other is referenced.
`python -m bench.references` lists every disagreement.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpus import CORPUS
from bench.gold_references import Sent, Verdict, wilson
from bench.quality.figures import Figure, lines
from bench.quality.intervals import interval, ratio
from bench.quality.reverts import SAYS_SO
from bench.references import Judged, judge_all

_REACH, _FLOOR = 0.99, 0.98
# Relationships that people write; the others are fields of a payload.
_WRITTEN = frozenset({"fixes", "references", "reverts", "cherry_picks", "duplicates", "tracked_in"})
_NUMBER = re.compile(
    r"(?:\b(?P<closing>fix(?:es|ed)?|close[sd]?|resolve[sd]?)[:\s]+)?#(?P<number>\d+)",
    re.IGNORECASE,
)
_TEXT_OF = ("title", "body", "message", "name")


def by_regex(judged: Judged, verdict: Verdict) -> bool:
    """Whether the regex makes this edge; it is told the right subject and text."""
    label = verdict.label
    payload = json.loads(judged.sent.body)
    text = _text(judged.sent, label.subject, payload)
    if label.type == "reverts":
        return any(label.object.startswith(f"github:commit:{sha}") for sha in SAYS_SO.findall(text))
    repository = str((payload.get("repository") or {}).get("id", ""))
    numbers = {
        ("fixes" if match["closing"] else "references", f"{repository}#{match['number']}")
        for match in _NUMBER.finditer(text)
    }
    return (label.type, label.object.rpartition(":")[2]) in numbers


def _text(sent: Sent, subject: str, payload: Mapping[str, Any]) -> str:
    """The message of a commit; else every title and body of the payload."""
    if sent.event == "push":
        commits = [*(payload.get("commits") or []), payload.get("head_commit") or {}]
        return "\n".join(
            str(commit.get("message", ""))
            for commit in commits
            if subject.endswith(str(commit.get("id")))
        )
    return "\n".join(_texts(payload))


def _texts(part: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    for name, value in part.items():
        if isinstance(value, str) and name in _TEXT_OF:
            yield value
        elif isinstance(value, dict) and depth < 1:
            yield from _texts(value, depth + 1)


class _Counts:
    """Right, made and wanted edges by delivery, which is the unit that is drawn."""

    def __init__(self, judged: Sequence[Judged], made: Callable[[Judged, Verdict], bool]) -> None:
        rows = []
        for delivery in judged:
            pairs = [(v.wanted, made(delivery, v)) for v in delivery.verdicts if v.counts]
            wanted = sum(is_wanted for is_wanted, _ in pairs)
            rows.append([pairs.count((True, True)), sum(is_made for _, is_made in pairs), wanted])
        self.right, self.made, self.wanted = np.array(rows, np.int64).reshape(-1, 3).T


def figures_of(data: str, judged: Sequence[Judged]) -> Iterator[Figure]:
    judged = [delivery for delivery in judged if delivery.verdicts]
    ours = _Counts(judged, lambda _, verdict: verdict.made)
    theirs = _Counts(judged, by_regex)
    for name, our_wholes, their_wholes in (
        ("precision", ours.made, theirs.made),
        ("recall", ours.wanted, theirs.wanted),
    ):
        right, of = int(ours.right.sum()), int(our_wholes.sum())
        low, high = wilson(right, of)
        yield Figure(
            "links",
            data,
            name,
            interval(len(judged), ratio(ours.right, our_wholes)),
            "regex",
            interval(len(judged), ratio(theirs.right, their_wholes)),
            _FLOOR,
            _REACH,
            f"{right} of {of}, Wilson [{low:.3f}, {high:.3f}]",
        )


def _only(judged: Iterable[Judged], types: frozenset[str]) -> list[Judged]:
    return [
        Judged(d.sent, [verdict for verdict in d.verdicts if verdict.label.type in types])
        for d in judged
    ]


def measure(corpus: Path, *, say: Callable[[str], None] = lambda _line: None) -> list[Figure]:
    judged = judge_all(corpus.parent, say=say)
    where = "labels" if corpus.exists() else "labels of the demo"
    return [
        *figures_of(f"{where}, all", judged),
        *figures_of(f"{where}, written", _only(judged, _WRITTEN)),
    ]


def main() -> None:
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    print("\n".join(lines(measure(corpus, say=print))))


if __name__ == "__main__":
    main()
