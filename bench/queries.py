"""How long questions take on a long history: `python -m bench.queries [--observations N]`.

A history is grown (`bench/grown.py`), some deliveries are captured whose observations wait for the stages
after that, and others wait to be captured. Then every question of `bench/questions.py` is asked several
times, among them those of docs/questions.md about the busiest and the latest of the workspace. Each has to
be answered within 100 ms; for those that are not, the plan of the slowest statement follows.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.corpus import CORPUS, deliveries
from bench.grown import SEED_DELIVERIES, grow_home, leave_work
from bench.grown_tables import ALL_VIEWS
from bench.question import Place, Question, place_in
from bench.questions import QUESTIONS
from bench.recorded_queries import Recorder
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Database

MOST_MILLISECONDS = 100.0
# What waits while the questions are asked.
CAPTURED, QUEUED = 600, 300


def ask(recorder: Recorder, question: Question, place: Place, rounds: int) -> list[float]:
    """Milliseconds of each round; what the question changes is taken back."""
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        question.ask(recorder.conn, place)
        spent.append((time.perf_counter() - began) * 1000)
        recorder.conn.rollback()
    return spent


def measure(database: Database, slug: str, rounds: int, report: Report) -> None:
    with Recorder(database) as recorder:
        place = place_in(recorder.conn, slug)
        recorder.conn.rollback()
        for question in QUESTIONS:
            ask(recorder, question, place, 1)
            recorder.statements.clear()
            spent = ask(recorder, question, place, rounds)
            p95 = statistics.quantiles(spent, n=20)[18] if len(spent) > 1 else spent[0]
            slowest = max(
                recorder.statements, key=lambda statement: statement.seconds, default=None
            )
            report.add(
                Measurement(
                    f"{question.asked_by}: {question.name}",
                    statistics.median(spent),
                    "ms",
                    reach=MOST_MILLISECONDS,
                    low=min(spent),
                    high=max(spent),
                    absolute=f"p95 {p95:.1f} ms, {len(recorder.statements) // rounds} statements",
                    reason="its plan follows",
                )
            )
            if statistics.median(spent) > MOST_MILLISECONDS and slowest is not None:
                plan = recorder.plan(slowest)
                report.notes.append(
                    f"{question.name}: {slowest.seconds * 1000:.0f} ms of\n{slowest.query}\n"
                    + (plan.text if plan else "")
                )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=__doc__)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--file", type=Path, default=CORPUS / "ipython.jsonl.gz")
    parser.add_argument("--views", nargs="+", choices=ALL_VIEWS, default=list(ALL_VIEWS))
    parser.add_argument("--home", type=Path, help="keep the grown history here, or find it here")
    add_json_option(parser)
    options = parser.parse_args()
    report = Report("queries")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lightfast-bench-")))
        home = options.home or folder / "home"
        grown = None
        if not home.exists():
            grown = grow_home(
                home, options.observations, file=options.file, views=options.views, show=_say
            )
        lease = stack.enter_context(EmbeddedPostgres(home, idle_seconds=5).acquire())
        database = Database(lease=lease)
        if grown is not None:
            later = itertools.islice(deliveries(options.file), SEED_DELIVERIES, None)
            leave_work(database, grown, list(itertools.islice(later, CAPTURED + QUEUED)), CAPTURED)
            with database.connect("migrator", autocommit=True) as conn:
                conn.execute("ANALYZE")
        measure(database, "large", options.rounds, report)
        with database.connect() as conn:
            row = conn.execute("SELECT count(*) FROM lightfast.observations").fetchone()
    report.notes.insert(
        0, f"{os.cpu_count()} processors; {row[0] if row else 0:,} observations, of two tenants"
    )
    return finish(report, options.json)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
