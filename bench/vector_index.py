"""What vectors of layers and a hosted index cost after a short and a long history: `python -m bench.vector_index`.

Rows of observations with vectors, clusters and pull requests are generated straight into databases of a
Postgres for this run; the hosted index is the tests' server on this machine, by Pinecone's own client. For
each size it prints the processor time (of this process and of its server process in Postgres, as others may use
the machine meanwhile) of the first fill, of the same number of changes after it, each to
another pull request and cluster, and of a run with nothing to do. Exits 1 if changes cost more than 1.25 times
as much after the longer history.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import psycopg
from pydantic import SecretStr

from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, Lease
from lightfast_pipelines.embedding.index import VIEWS, Vectors, View
from lightfast_pipelines.embedding.layers import make_layers
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.projection import project
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.migrate import migrate

MOST_RATIO = 1.25
CHANGES = 200
ROUNDS = 7
ROW = "{:<28} {:>14} {:>14} {:>8}"
_PAGE = 2_000

# Four observations a pull request, ten a cluster, a day for 500 of them.
_ROWS = (
    """
    INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES ('bench', 'bench', 'bench')
    """,
    """
    INSERT INTO lightfast.observation_facts
      (external_id, workspace_id, source_id, source, source_type, observation_type, subject_key,
       occurred_at, recorded_at, ingestion_source, title, content, category, significance_score,
       rule_version)
    SELECT left(md5(n::text), 21), 1, 'github:pr:1#' || n / 4 || '|step|' || n, 'github',
           'pull-request.updated', 'change', 'github:pr:1#' || n / 4,
           '2020-01-01Z'::timestamptz + make_interval(secs => n * 172.8), now(), 'webhook',
           'Change number ' || n || ' of the payment service', 'Why it was changed, in words.',
           'feature', 50, 1
    FROM generate_series(0, %(size)s - 1) n
    """,
    """
    INSERT INTO lightfast.entities (workspace_id, category, key, value, confidence, first_seen_at,
      last_seen_at, occurrence_count, is_stub)
    SELECT 1, 'pull_request', subject_key, max(title), 1, min(occurred_at), max(occurred_at),
           count(*), false
    FROM lightfast.observations GROUP BY subject_key
    """,
    """
    INSERT INTO lightfast.clusters (id, workspace_id, topic_label, status, observation_count,
      first_observation_at, last_observation_at, rule_version)
    SELECT 'c' || n, 1, 'Topic ' || n, 'open', 10, now(), now(), 1
    FROM generate_series(0, (%(size)s - 1) / 10) n
    """,
    """
    INSERT INTO lightfast.cluster_members
      (observation_id, workspace_id, cluster_id, thread_key, rule_version, is_provisional,
       subject_key, author_identity_id, occurred_at)
    SELECT id, 1, 'c' || (id - 1) / 10, subject_key, 1, false, subject_key, author_identity_id, occurred_at
    FROM lightfast.observations
    """,
    """
    DELETE FROM lightfast.embedding_queue
    """,
    """
    DELETE FROM lightfast.cluster_queue
    """,
)

_SERVER = """
import sys
from tests.servers.pinecone import PineconeWorld, serve_pinecone
with serve_pinecone(PineconeWorld()) as served:
    print(served.url, flush=True)
    sys.stdin.read()
"""

# As when capture has read newer payloads, and their texts were embedded.
_CHANGE = """
UPDATE lightfast.observation_facts SET title = title || '!', significance_score = 51
WHERE id = ANY(%s) RETURNING id
"""


class Costs:
    """Seconds of the processor that this process and its session's server process have used."""

    def __init__(self, conn: Connection) -> None:
        self._processes = [psutil.Process(), psutil.Process(conn.info.backend_pid)]

    def of(self, do: Callable[[], Any]) -> float:
        before = self._used()
        do()
        return self._used() - before

    def _used(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)


def embed(conn: Connection, ids: list[int], generator: np.random.Generator) -> None:
    """Gives these observations vectors that nobody had to compute."""
    views: list[View] = [view for view in VIEWS for _ in ids]
    numbers = generator.normal(size=(len(views), 256)).astype(np.float32)
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    everything = ids * len(VIEWS)
    PgVectorIndex(conn).upsert(
        Vectors("wordllama-256", [1] * len(everything), everything, views, numbers)
    )


@contextmanager
def serving() -> Iterator[str]:
    """The address of the tests' Pinecone server in a process of its own, whose work is not ours."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.stdin.close()
        server.wait(30)


def measure(lease: Lease, size: int, number: int) -> dict[str, float]:
    from tests.servers.pinecone import KEY

    name = f"bench_{number}"
    with Database(lease=lease).connect("migrator", autocommit=True) as conn:
        conn.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    migrate(lease.url(database=name, user="lightfast_migrator"), roles_log_in=True)
    generator, embedder = np.random.default_rng(1), WordLlamaEmbedder()
    embedder.embed(["loaded"])
    now = datetime.now(UTC)
    with (
        serving() as url,
        Database(lease=lease, name=name).connect("migrator") as conn,
    ):
        index = PineconeIndex(SecretStr(KEY), index="lightfast", api_url=url)
        costs = Costs(conn)
        for statement in _ROWS:
            conn.execute(statement, {"size": size})
        conn.execute("TRUNCATE lightfast.layer_changes")
        for start in range(1, size + 1, _PAGE):
            embed(conn, list(range(start, min(start + _PAGE, size + 1))), generator)
        conn.execute("ANALYZE")
        conn.commit()
        measured = {
            "layers, all": costs.of(lambda: make_layers(conn, embedder)),
            "index, filled": costs.of(lambda: project(conn, index, embedder, now=now)),
        }
        rounds: dict[str, list[float]] = {}
        for number_of_round in range(ROUNDS):

            def change(seed: int = number_of_round) -> None:
                chosen = [1 + seed + n * (size // CHANGES) for n in range(CHANGES)]
                ids = [row[0] for row in conn.execute(_CHANGE, (chosen,))]
                embed(conn, ids, generator)
                conn.commit()

            steps: dict[str, Callable[[], Any]] = {
                f"{CHANGES} changes, written": change,
                f"{CHANGES} changes, layers": lambda: make_layers(conn, embedder),
                f"{CHANGES} changes, index": lambda: project(conn, index, embedder, now=now),
            }
            for step, do in steps.items():
                rounds.setdefault(step, []).append(costs.of(do))
        measured |= {step: statistics.median(seconds) for step, seconds in rounds.items()}
        measured["nothing to do"] = costs.of(
            lambda: (make_layers(conn, embedder), project(conn, index, embedder, now=now))
        )
        index.close()
        stats = httpx.post(f"{url}/describe_index_stats", json={}, headers={"api-key": KEY}).json()
        # Ids begin at 1, so the last pull request may have one observation.
        if stats["totalVectorCount"] - size * 3 - -(-size // 10) not in {size // 4, size // 4 + 1}:
            sys.exit(f"the index has {stats['totalVectorCount']} vectors of {size} observations")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.vector_index", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=[4_000, 40_000])
    small, large = parser.parse_args().sizes
    with (
        tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "home", idle_seconds=5).acquire() as lease,
    ):
        few, many = (measure(lease, size, number) for number, size in enumerate((small, large)))
    print(ROW.format("processor seconds", f"{small:,}", f"{large:,}", "ratio"))
    for step in few:
        ratio = many[step] / max(few[step], 0.01)
        print(ROW.format(step, f"{few[step]:.2f}", f"{many[step]:.2f}", f"{ratio:.2f}"))
    grown = [
        step for step in few if "changes" in step and many[step] > MOST_RATIO * max(few[step], 0.05)
    ]
    if grown:
        sys.exit(
            f"more than {MOST_RATIO} times as much after the longer history: {', '.join(grown)}"
        )


if __name__ == "__main__":
    main()
