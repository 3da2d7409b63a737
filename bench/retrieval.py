"""How well search finds what is known to be there: `python -m bench.retrieval [--home DIR] [--learn]`.

Known items are masked out of two recorded histories (`bench/retrieval_items.py`), which are processed
without them; results are observations. Weights are learnt on one project and judged on the other, both
ways, beside BM25 alone and vectors alone on the same memory. Each path is left out once, with weights
learnt anew. Questions without an answer are those of the other project that use its own words, and some
that were made up. `--learn` writes `domain/search_weights.py` from both projects together.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpus import CORPUS
from bench.quality.intervals import Interval, difference, interval
from bench.report import Measurement, Report, add_json_option, finish
from bench.retrieval_invented import INVENTED
from bench.retrieval_items import MaskedHistory, mask
from bench.retrieval_learning import (
    KEPT,
    Learnt,
    fast_order,
    learn,
    learn_balanced,
    likelihood,
    ndcg,
    ranked,
    recall,
    reciprocal_rank,
    without_path,
)
from bench.retrieval_memory import Asked, Memory, fill, observations_of
from bench.retrieval_weights import write_weights
from lightfast_pipelines.domain import search_weights
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.search.results import PATHS
from lightfast_pipelines.store.database import Database

_NAMES = ("number", "sha")
PROJECTS = ("starlette", "ipython")
_GAIN = 0.05
_FALSE_ANSWERS = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--home", type=Path, help="keep the memories here, or find them here")
    parser.add_argument("--learn", action="store_true", help="write domain/search_weights.py")
    parser.add_argument("--items", type=int, default=160, help="known items of each kind at most")
    add_json_option(parser)
    options = parser.parse_args()
    report = Report("retrieval")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lightfast-bench-")))
        home = options.home or folder / "home"
        is_new = not home.exists()
        server = EmbeddedPostgres(home, idle_seconds=5)
        lease = stack.enter_context(server.acquire())
        database = Database(lease=lease)
        histories = [
            mask(
                CORPUS / f"{name}.jsonl.gz",
                CORPUS / "gold" / name / "threads.tsv",
                most=options.items,
            )
            for name in PROJECTS
        ]
        if is_new:
            database.migrate()
            for history in histories:
                fill(database, history)
            with database.connect("migrator", autocommit=True) as conn:
                conn.execute("VACUUM ANALYZE")
        asked, nows = ask_all(database, histories)
    for trained, judged in (PROJECTS[::-1], PROJECTS):
        judge(report, asked, nows, trained, judged)
    if options.learn:
        everything = [each for name in PROJECTS for each in asked[name] if each.kind not in _NAMES]
        write_weights(learn(everything, max(nows.values())))
    return finish(report, options.json)


def ask_all(
    database: Database, histories: Sequence[MaskedHistory]
) -> tuple[dict[str, list[Asked]], dict[str, datetime]]:
    """What was asked in each project, and the time of its last observation."""
    asked: dict[str, list[Asked]] = {}
    nows: dict[str, datetime] = {}
    for history in histories:
        with database.connect() as conn:
            memory = Memory(conn, history.name)
            nows[history.name] = memory.now
            items = [*history.items, *history.named]
            relevant = observations_of(conn, memory.workspace, items)
            conn.rollback()
            mine = [
                memory.ask(item.kind, item.question, answers)
                for item, answers in zip(items, relevant, strict=True)
                if answers
            ]
            others = [
                item.question
                for other in histories
                if other is not history
                for item in other.items
                if memory.uses_foreign_words(item.question, other.name)
            ]
            mine += [memory.ask("other project", question, frozenset()) for question in others]
            mine += [memory.ask("invented", question, frozenset()) for question in INVENTED]
            asked[history.name] = mine
    return asked, nows


def judge(
    report: Report,
    asked: Mapping[str, Sequence[Asked]],
    nows: Mapping[str, datetime],
    trained: str,
    judged: str,
) -> None:
    """Adds the figures of weights learnt on `trained`, on `judged`."""
    _judge_names(report, judged, asked[judged], nows[judged])
    asked = {
        name: [each for each in some if each.kind not in _NAMES] for name, some in asked.items()
    }
    learnt = learn(asked[trained], nows[trained])
    known = [each for each in asked[judged] if each.relevant]
    data = f"{judged} (learnt on {trained})"
    found = {
        "balanced": [ranked(each, learnt.balanced) for each in known],
        "fast": [fast_order(each, nows[judged]) for each in known],
        "BM25 alone": [each.baselines["bm25"] for each in known],
        "vectors alone": [each.baselines["vectors"] for each in known],
    }
    scores = {name: _scores(lists, known) for name, lists in found.items()}
    for name, lists in found.items():
        value = _mean(scores[name])
        others = (
            f"recall@10 {np.mean([recall(each, a.relevant) for each, a in zip(lists, known, strict=True)]):.3f}, "
            f"MRR {np.mean([reciprocal_rank(each, a.relevant) for each, a in zip(lists, known, strict=True)]):.3f}"
        )
        report.add(_figure(f"{data}: nDCG@10 {name}", value, absolute=others))
    for name in ("balanced", "fast"):
        gain = _gain(scores[name], scores["BM25 alone"])
        report.add(
            _figure(
                f"{data}: {name} above BM25 alone",
                gain,
                reach=_GAIN,
                at_least=True,
                absolute=f"{len(known)} known items",
            )
        )
    for kind in sorted({each.kind for each in known}):
        chosen = np.array([each.kind == kind for each in known])
        gain = _gain(scores["balanced"][chosen], scores["BM25 alone"][chosen])
        report.add(
            _figure(
                f"{data}: {kind}: above BM25",
                gain,
                absolute=f"{chosen.sum()} items, nDCG@10 {scores['balanced'][chosen].mean():.3f}",
            )
        )
    _ablate(report, data, asked, nows, (trained, judged), scores["balanced"])
    _judge_silence(report, data, asked[judged], learnt, nows[judged])


def _judge_names(report: Report, judged: str, asked: Sequence[Asked], now: datetime) -> None:
    """What is asked for by name, with the weights that are in the repository: names teach nothing."""
    for kind in _NAMES:
        known = [each for each in asked if each.kind == kind]
        if not known:
            continue
        without = [without_path(each, "entities", now) for each in known]
        ours = _scores([ranked(each, search_weights.BALANCED) for each in known], known)
        theirs = _scores([each.baselines["bm25"] for each in known], known)
        lost = _scores([ranked(each, search_weights.BALANCED) for each in without], without)
        value, gain, added = _mean(ours), _gain(ours, theirs), _gain(ours, lost)
        report.add(
            _figure(
                f"{judged}: nDCG@10 by {kind}",
                value,
                absolute=f"{len(known)} items, BM25 alone {theirs.mean():.3f}, above it {gain}",
            ),
            _figure(f"{judged}: what entities adds by {kind}", added),
        )


def _ablate(
    report: Report,
    data: str,
    asked: Mapping[str, Sequence[Asked]],
    nows: Mapping[str, datetime],
    projects: tuple[str, str],
    whole: np.ndarray,
) -> None:
    trained, judged = projects
    for path in PATHS:
        mine = [without_path(each, path, nows[trained]) for each in asked[trained]]
        known = [without_path(each, path, nows[judged]) for each in asked[judged] if each.relevant]
        weights = learn_balanced(mine)
        lost = _gain(whole, _scores([ranked(each, weights) for each in known], known))
        report.add(_figure(f"{data}: what {path} adds", lost))


def _judge_silence(
    report: Report, data: str, asked: Sequence[Asked], learnt: Learnt, now: datetime
) -> None:
    def likely(chosen: Sequence[Asked]) -> np.ndarray:
        return np.array(
            [likelihood(each, learnt.balanced, learnt.confidence, now) for each in chosen]
        )

    found = likely(
        [each for each in asked if each.relevant.intersection(ranked(each, learnt.balanced))]
    )
    threshold = float(np.quantile(found, 1 - KEPT))
    for kind in ("other project", "invented"):
        none = likely([each for each in asked if each.kind == kind])
        false = _mean((none >= threshold).astype(float))
        report.add(
            _figure(
                f"{data}: false answers, {kind}, at 90 % of recall",
                false,
                reach=_FALSE_ANSWERS,
                absolute=f"{len(none)} questions; at the learnt threshold "
                f"{np.mean(none >= learnt.threshold):.3f}, recall kept {np.mean(found >= learnt.threshold):.3f}",
            )
        )


def _figure(name: str, value: Interval, **more: Any) -> Measurement:
    return Measurement(name, value.value, low=value.low, high=value.high, **more)


def _scores(lists: Sequence[Sequence[int]], known: Sequence[Asked]) -> np.ndarray:
    return np.array([ndcg(each, a.relevant) for each, a in zip(lists, known, strict=True)])


def _mean(scores: np.ndarray) -> Interval:
    return interval(len(scores), lambda drawn: float((drawn * scores).sum() / drawn.sum()))


def _gain(ours: np.ndarray, theirs: np.ndarray) -> Interval:
    return difference(
        len(ours),
        lambda drawn: float((drawn * ours).sum() / drawn.sum()),
        lambda drawn: float((drawn * theirs).sum() / drawn.sum()),
    )


if __name__ == "__main__":
    raise SystemExit(main())
