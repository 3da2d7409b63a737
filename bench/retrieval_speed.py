"""How long a search takes in a grown history: `python -m bench.retrieval_speed [--observations N] [--home DIR]`.

Questions are titles of the history's own observations, some with a name, a filter or a time. Each is asked
in both modes. The bare scan of the vectors' index, or of the rows where a workspace has none, is the measure
of the machine. The slowest statement's plan follows where the number is missed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench.corpus import CORPUS
from bench.grown import grow_home
from bench.recorded_queries import Recorder
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.search.results import Mode, SearchFilters
from lightfast_pipelines.search.search import search
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import find_workspace
from lightfast_pipelines.store.vector_indexes import keep_indexes

_SEED = 20_261_130
_MOST: dict[Mode, float] = {"fast": 50.0, "balanced": 150.0}


def questions(conn: Connection, workspace: int, count: int) -> list[tuple[str, SearchFilters]]:
    """Titles, whole and cut, frequent words alone, numbers, files; every fourth with a filter."""
    rows = conn.execute(
        """
        SELECT regexp_replace(title, '^\\[[^]]*\\] ', ''), source_type, occurred_at
        FROM lightfast.observation_facts WHERE workspace_id = %s ORDER BY md5(id::text) LIMIT %s
        """,
        (workspace, count),
    ).fetchall()
    conn.rollback()
    chance = random.Random(_SEED)
    asked = []
    for place, (title, kind, at) in enumerate(rows):
        words = title.split()
        text = (
            title,
            " ".join(chance.sample(words, min(3, len(words)))),
            "fix tests and update the documentation",
            f"{title} #{chance.randint(9_000, 14_000)}",
            "IPython/core/interactiveshell.py",
        )[place % 5]
        filters = (
            SearchFilters(),
            SearchFilters(types=(kind,)),
            SearchFilters(since=at),
            SearchFilters(),
        )[place % 4]
        asked.append((text, filters))
    return asked


def measure(database: Database, slug: str, count: int, report: Report) -> None:
    embedder = WordLlamaEmbedder()
    embedder.embed(["warm"])
    with Recorder(database) as recorder:
        conn = recorder.conn
        workspace = find_workspace(conn, slug)
        asked = questions(conn, workspace.id, count)
        now = datetime.now(UTC)

        def scan(text: str, _filters: SearchFilters) -> None:
            PgVectorIndex(conn).search(
                workspace.id, embedder.embed([text])[0], 10, model=embedder.name
            )
            conn.rollback()

        bare = list(_spent(scan, asked))
        report.add(_figure("bare scan of vectors, p95", bare, None))
        for mode, most in _MOST.items():

            def ask(text: str, filters: SearchFilters, mode: Mode = mode) -> None:
                search(
                    conn, workspace, text, embedder=embedder, now=now, filters=filters, mode=mode
                )

            list(_spent(ask, asked))
            recorder.statements.clear()
            spent = list(_spent(ask, asked))
            report.add(_figure(f"{mode}, p95", spent, most))
            for slow in sorted(recorder.statements, key=lambda each: -each.seconds)[:3]:
                plan = recorder.plan(slow)
                report.notes.append(
                    f"{mode}: {slow.seconds * 1000:.0f} ms of\n{slow.query}\n{plan.text if plan else ''}"
                )


def _spent(
    ask: Callable[[str, SearchFilters], None], asked: Sequence[tuple[str, SearchFilters]]
) -> Iterator[float]:
    for text, filters in asked:
        began = time.perf_counter()
        ask(text, filters)
        yield (time.perf_counter() - began) * 1000


def _figure(name: str, spent: Sequence[float], reach: float | None) -> Measurement:
    return Measurement(
        name,
        statistics.quantiles(spent, n=20)[18],
        "ms",
        reach=reach,
        low=min(spent),
        high=max(spent),
        absolute=f"median {statistics.median(spent):.1f} ms, {len(spent)} questions",
        reason="its slowest statements follow",
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval_speed", description=__doc__)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--home", type=Path, help="keep the grown history here, or find it here")
    add_json_option(parser)
    options = parser.parse_args()
    report = Report("retrieval_speed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lightfast-bench-")))
        home = options.home or folder / "home"
        if not home.exists():
            grow_home(home, options.observations, file=CORPUS / "ipython.jsonl.gz", show=_say)
        lease = stack.enter_context(EmbeddedPostgres(home, idle_seconds=5).acquire())
        database = Database(lease=lease)
        with database.connect("migrator", autocommit=True) as conn:
            keep_indexes(conn)
        measure(database, "large", options.questions, report)
    return finish(report, options.json)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
