"""Search by pgvector: exact scan against the index of large workspaces, and what the index costs.

`python -m bench.vector_search [--vectors 60000 200000] [--dimensions 256]`: recall@10 of the index
against the exact scan, latency of both, size and time of the build, and inserts with and without the
index. Vectors are local ones of sentences from the project's own pages, shuffled; with other
dimensions they are projected at random, which keeps their cosines about the same.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.quality.intervals import interval
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.embedding.index import VIEWS, Neighbour, Vectors, View
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.vector_indexes import keep_indexes

ROOT = Path(__file__).parents[1]
MODEL = "bench-model"
QUERIES = 200
INSERTED = 3_000


def sentences(count: int, chance: random.Random) -> list[str]:
    """Sentences of several subjects: each takes its words from two paragraphs of the project's pages."""
    text = "\n\n".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))
    paragraphs = [re.findall(r"[A-Za-z_]{3,}", part) for part in text.split("\n\n")]
    paragraphs = [words for words in paragraphs if len(words) > 12]
    made = []
    for _ in range(count):
        words = chance.choice(paragraphs) + chance.choice(paragraphs)
        made.append(" ".join(chance.choices(words, k=chance.randint(4, 14))))
    return made


def vectors_of(count: int, dimensions: int, seed: int) -> NDArray[np.float32]:
    local = WordLlamaEmbedder().embed(sentences(count, random.Random(seed)))
    if dimensions == local.shape[1]:
        return local
    rng = np.random.default_rng(1)
    projected = local @ rng.normal(size=(local.shape[1], dimensions)).astype(np.float32)
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    return np.asarray(projected / np.where(lengths > 0, lengths, 1), np.float32)


def add_observations(conn: Connection, slug: str, count: int) -> tuple[int, list[int]]:
    row = conn.execute(
        "INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES ('bench', %s, %s) RETURNING id",
        (slug, slug),
    ).fetchone()
    assert row is not None
    rows = conn.execute(
        """
        INSERT INTO lightfast.observation_facts
          (external_id, workspace_id, source_id, source, source_type, observation_type, subject_key,
           occurred_at, recorded_at, ingestion_source, title, category, significance_score, rule_version)
        SELECT %(slug)s || n, %(workspace)s, 'bench:' || n, 'github', 'commit.pushed', 'change',
               'github:commit:' || n, now(), now(), 'manual', 'bench', 'other', 10, 1
        FROM generate_series(1, %(count)s) n RETURNING id
        """,
        {"slug": slug, "workspace": row[0], "count": count},
    )
    return row[0], [observation for (observation,) in rows]


def insert(conn: Connection, observations: Sequence[int], vectors: NDArray[np.float32]) -> float:
    """Vectors a second, in batches as the stage writes them."""
    index = PgVectorIndex(conn)
    began = time.perf_counter()
    for start in range(0, len(observations), 1_000):
        ids = list(observations[start : start + 1_000])
        views: list[View] = [view for view in VIEWS for _ in ids]
        rows = slice(start * len(VIEWS), (start + len(ids)) * len(VIEWS))
        index.upsert(Vectors(MODEL, [0] * len(views), ids * len(VIEWS), views, vectors[rows]))
        conn.commit()
    return len(observations) * len(VIEWS) / (time.perf_counter() - began)


def search(
    conn: Connection, workspace: int, queries: NDArray[np.float32], view: View | None
) -> tuple[list[list[Neighbour]], dict[str, float]]:
    index = PgVectorIndex(conn)
    answers, spent = [], []
    for query in queries:
        began = time.perf_counter()
        answers.append(index.search(workspace, query, 10, model=MODEL, view=view))
        spent.append((time.perf_counter() - began) * 1000)
    conn.rollback()
    quantiles = statistics.quantiles(spent, n=20)
    return answers, {"p50_ms": round(quantiles[9], 1), "p95_ms": round(quantiles[18], 1)}


def recall(answers: Sequence[list[Neighbour]], exact: Sequence[list[Neighbour]]) -> str:
    """Share of the exact neighbours that were found, with the interval over queries; a neighbour as near
    as the tenth counts as one."""
    shares = []
    for found, wanted in zip(answers, exact, strict=True):
        least = wanted[-1].similarity - 1e-6
        shares.append(sum(hit.similarity >= least for hit in found) / len(wanted))
    found_share = np.asarray(shares)
    return str(interval(len(shares), lambda drawn: float(np.average(found_share, weights=drawn))))


def measure(database: Database, count: int, dimensions: int) -> dict[str, Any]:
    with database.connect() as conn:
        observations = count // len(VIEWS)
        workspace, ids = add_observations(conn, f"large-{count}", observations + 2 * INSERTED // 3)
        _, small_ids = add_observations(conn, f"small-{count}", INSERTED // 3)
        conn.commit()
        made = vectors_of(count + 2 * INSERTED + QUERIES, dimensions, seed=count)
        stored, more, queries = np.split(made, [count, count + 2 * INSERTED])
        insert(conn, ids[:observations], stored)
        without = insert(conn, ids[observations : observations + INSERTED // 3], more[:INSERTED])
        report: dict[str, Any] = {"vectors": count, "dimensions": dimensions}
        exact = {}
        for view in (None, VIEWS[2]):
            exact[view], report[f"exact, {view or 'all views'}"] = search(
                conn, workspace, queries, view
            )
        with database.connect("migrator", autocommit=True) as owner:
            began = time.perf_counter()
            [name] = keep_indexes(owner).made
            report["build_seconds"] = round(time.perf_counter() - began, 1)
        size = conn.execute("SELECT pg_relation_size(%s::regclass)", (f"lightfast.{name}",))
        report["index_mib"] = round((size.fetchone() or (0,))[0] / 2**20)
        for view in (None, VIEWS[2]):
            answers, latency = search(conn, workspace, queries, view)
            report[f"index, {view or 'all views'}"] = {
                **latency,
                "recall@10": recall(answers, exact[view]),
            }
        with_index = insert(conn, ids[observations + INSERTED // 3 :], more[INSERTED:])
        elsewhere = insert(conn, small_ids, more[:INSERTED])
        report["inserts_per_second"] = {
            "without index": round(without),
            "with index": round(with_index),
            "another workspace": round(elsewhere),
        }
    return report


def main(argv: Sequence[str] | None = None, show: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.vector_search", description=__doc__)
    parser.add_argument("--vectors", type=int, nargs="+", default=[60_000, 200_000])
    parser.add_argument("--dimensions", type=int, default=256)
    arguments = parser.parse_args(argv)
    for count in arguments.vectors:
        with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
            server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
            with Database(lease=server.acquire()) as database:
                database.migrate()
                show(json.dumps(measure(database, count, arguments.dimensions), indent=2))


if __name__ == "__main__":
    main()
