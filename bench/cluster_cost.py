"""What a provisional cluster costs after a short and a long history: `python -m bench.cluster_cost`.

Rows of observations, mentions and edges are generated straight into the databases of a Postgres for
this run. `added` assigns 5,000 new observations to a history whose observations all have clusters,
`late` 5,000 that happened anywhere in that history, and `backlog` a whole history without clusters;
`decided` consolidates a whole history (without vectors). The sizes alternate, and the median counts.
The rate by processor time (of this process and of its server process) is printed too, as others may use
the machine meanwhile. Exits 1 if the largest size has less than 0.8 of the smallest one's rate.
`--explain` prints what each statement of the stage read, and how.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, Lease
from lightfast_pipelines.store.database import Connection, Database

FLOOR = 0.8
ADDED = 5_000
HEADINGS = (
    *("kind", "history", "workspaces", "round", "observations"),
    *("seconds", "rate", "by processor", "load"),
)
ROW = "{:<9} {:>12} {:>11} {:>5} {:>13} {:>9} {:>12} {:>12} {:>9}"

# Four of five observations are commits of three files each, most of them by a few people and to a few
# files; one in ten touches the README. The fifth is about a pull request, which contains its commits. A
# workspace has 500 observations a day, so a longer history is an older one.
_MADE = """
CREATE TEMP TABLE made AS
SELECT n, w.id AS workspace, n / %(workspaces)s AS place,
       CASE WHEN n / %(workspaces)s %% 5 = 0
            THEN 'github:pr:' || w.id || '#' || n / %(workspaces)s / 25
            ELSE 'github:commit:' || md5(w.id || ':' || n) || '00000000' END AS key,
       'github:pr:' || w.id || '#' || n / %(workspaces)s / 25 AS pull_request,
       '2030-01-01'::timestamptz - make_interval(secs => 172.8 / %(workspaces)s * (%(history)s - (
         CASE WHEN %(late)s THEN random() * %(history)s ELSE n END))) AS at,
       (power(random(), 2) * 40)::integer + 1 AS author,
       ARRAY(SELECT (power(random(), 3) * (200 + %(history)s / %(workspaces)s / 20))::integer
             FROM generate_series(1, 3) WHERE n IS NOT NULL)
         || CASE WHEN random() < 0.1 THEN ARRAY[-1] ELSE '{}' END AS files
FROM generate_series(%(first)s, %(last)s - 1) AS n
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM lightfast.workspaces) w
  ON w.number = n %% %(workspaces)s
"""
_ROWS = (
    """
    INSERT INTO lightfast.actor_identities (org_id, source, source_id)
    SELECT 'bench', 'git', 'author-' || n FROM generate_series(1, 41) n ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO lightfast.observation_facts
      (external_id, workspace_id, source_id, source, source_type, observation_type, subject_key,
       occurred_at, recorded_at, ingestion_source, author_identity_id, actor_identity_id, title,
       content, category, significance_score, rule_version)
    SELECT 'observation-' || n, workspace, key || '|' || n, 'github', 'commit.pushed', 'change', key,
           at, at, 'webhook', i.id, i.id, 'Change ' || substr(md5(n::text), 1, 12) || ' of the parser',
           repeat('What it changes and why. ', 8), 'other', 40, 1
    FROM made JOIN lightfast.actor_identities i ON i.source_id = 'author-' || author
    ORDER BY n
    """,
    """
    INSERT INTO lightfast.entities (workspace_id, category, key, confidence, first_seen_at,
      last_seen_at, occurrence_count, is_stub)
    SELECT DISTINCT workspace, category, key, 1, now(), now(), 1, false
    FROM (SELECT workspace, 'commit' AS category, key FROM made
          UNION ALL SELECT workspace, 'pull_request', pull_request FROM made
          UNION ALL SELECT workspace, 'file', 'file:src/' || unnest(files) || '.py' FROM made) e
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO lightfast.observation_entities
      (observation_id, entity_id, role, confidence, extractor, stated_key)
    SELECT DISTINCT o.id, e.id, m.role, 1, 'payload', m.key
    FROM (SELECT n, workspace, 'subject' AS role, key FROM made
          UNION ALL
          SELECT n, workspace, 'file', 'file:src/' || unnest(files) || '.py' FROM made
          WHERE place % 5 > 0) m
    JOIN lightfast.entities e ON e.workspace_id = m.workspace AND e.key = m.key
    JOIN lightfast.observations o ON o.external_id = 'observation-' || m.n
    """,
    """
    INSERT INTO lightfast.relationships (workspace_id, subject_id, object_id, type, confidence,
      method, first_seen_at, last_seen_at, observation_count)
    SELECT workspace, p.id, c.id, 'contains', 1, 'payload', now(), now(), 1
    FROM made
    JOIN lightfast.entities p ON p.workspace_id = workspace AND p.key = pull_request
    JOIN lightfast.entities c ON c.workspace_id = workspace AND c.key = made.key
    -- Half of the work has no pull request.
    WHERE place % 5 > 0 AND place / 25 % 2 = 0
    """,
)
_CLUSTERS = (
    """
    INSERT INTO lightfast.cluster_members
      (observation_id, workspace_id, cluster_id, thread_key, rule_version, is_provisional,
       subject_key, author_identity_id, occurred_at)
    SELECT o.id, workspace, 'cluster-' || workspace || '-' || place / 25,
           CASE WHEN place %% 5 = 0 THEN key ELSE pull_request END, %(rules)s, false,
           o.subject_key, o.author_identity_id, o.occurred_at
    FROM made JOIN lightfast.observations o ON o.external_id = 'observation-' || n
    """,
    """
    INSERT INTO lightfast.clusters (id, workspace_id, topic_label, status, observation_count,
      first_observation_at, last_observation_at, is_provisional, rule_version)
    SELECT m.cluster_id, m.workspace_id, 'The parser', 'open', count(*), min(o.occurred_at),
           max(o.occurred_at), false, %(rules)s
    FROM lightfast.cluster_members m JOIN lightfast.observations o ON o.id = m.observation_id
    GROUP BY 1, 2
    """,
    """
    DELETE FROM lightfast.cluster_queue
    """,
)


def make_rows(
    conn: Connection, history: int, first: int, last: int, workspaces: int, *, late: bool = False
) -> None:
    """The observations `first` to `last` of a history of that length, without clusters."""
    numbers = {"history": history, "first": first, "last": last, "workspaces": workspaces}
    numbers["late"] = late
    conn.execute("SELECT setseed(0.5)")
    conn.execute(_MADE, numbers)
    conn.execute("ANALYZE made")
    for statement in _ROWS:
        conn.execute(statement.encode())
        # A plan that was made for empty tables would take an hour.
        conn.execute(
            "ANALYZE lightfast.entities, lightfast.observation_facts, lightfast.relationships"
        )


def make_history(lease: Lease, name: str, size: int, workspaces: int, *, clustered: bool) -> None:
    """A database of that name, if there is none."""
    with Database(lease=lease).connect("migrator", autocommit=True) as conn:
        if conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
            return
        conn.execute(f"CREATE DATABASE {name}".encode())
    database = Database(lease=lease, name=name)
    database.migrate()
    with database.connect("migrator") as conn:
        conn.execute(
            """
            INSERT INTO lightfast.workspaces (org_id, slug, name)
            SELECT 'bench', 'bench-' || n, 'bench' FROM generate_series(1, %s) n
            """,
            (workspaces,),
        )
        make_rows(conn, size, 0, size, workspaces)
        if clustered:
            for statement in _CLUSTERS:
                conn.execute(statement, {"rules": RULE_VERSION})
        conn.execute(
            "INSERT INTO lightfast.consolidation_marks (workspace_id, changes) "
            "SELECT id, 1 FROM lightfast.workspaces"
        )
        conn.commit()
        conn.autocommit = True
        # As autovacuum leaves tables that grew slowly.
        conn.execute("VACUUM ANALYZE")


class NoModel:
    """A model of which no observation has a vector."""

    name, dimensions = "none", 256


def measure(
    lease: Lease, name: str, kind: str, size: int, workspaces: int, *, explain: bool
) -> tuple[int, float, float]:
    """(observations assigned, seconds, seconds of processor time), in a copy of the database."""
    with Database(lease=lease).connect("migrator", autocommit=True) as conn:
        conn.execute("DROP DATABASE IF EXISTS measured")
        conn.execute(f"CREATE DATABASE measured TEMPLATE {name} STRATEGY FILE_COPY".encode())
    if kind in ("added", "late"):
        # Written now, so that as much of the copy is in memory as after capture.
        with Database(lease=lease, name="measured").connect("migrator") as conn:
            make_rows(conn, size, size, size + ADDED, workspaces, late=kind == "late")
    with Database(lease=lease, name="measured").connect() as conn:
        if explain:
            conn.cursor_factory = ExplainingCursor
            conn.server_cursor_factory = ExplainingServerCursor
        began, used = time.perf_counter(), _processor_seconds(conn)
        done = (
            consolidate(conn, NoModel(), now=datetime.now(UTC), force=True).observations
            if kind == "decided"
            else assign_provisional(conn, max_rows=10_000_000).observations
        )
        seconds = time.perf_counter() - began
        return done, seconds, _processor_seconds(conn) - used


def _processor_seconds(conn: Connection) -> float:
    server = psutil.Process(conn.info.backend_pid).cpu_times()
    return time.process_time() + float(server.user + server.system)


class ExplainingCursor(psycopg.Cursor[tuple[Any, ...]]):
    """Prints the plan of each statement that takes part in the stage, and what it read."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if text.lstrip().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            with self.connection.transaction(force_rollback=True):
                super().execute(f"EXPLAIN (ANALYZE, BUFFERS) {text}".encode(), params)
                plan = [row[0][:160] for row in self.fetchall()]
                print(text, *plan, sep="\n")
        return super().execute(query, params, **options)


class ExplainingServerCursor(psycopg.ServerCursor[tuple[Any, ...]]):
    """As ExplainingCursor, for what is read in pages."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        self.connection.cursor().execute(query, params)
        return super().execute(query, params, **options)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster_cost", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--workspaces", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--kinds", nargs="+", default=["added", "late", "backlog", "decided"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with server.acquire() as lease:
            print(f"{os.cpu_count()} processors, rule version {RULE_VERSION}")
            print(ROW.format(*HEADINGS))
            for workspaces in options.workspaces:
                for kind in options.kinds:
                    ratios.append(_compare(lease, kind, workspaces, options))
    return 0 if options.explain or min(ratios) >= FLOOR else 1


def _compare(lease: Lease, kind: str, workspaces: int, options: argparse.Namespace) -> float:
    """The largest size's median rate over the smallest one's."""
    contents = "backlog" if kind == "backlog" else "clustered"
    names = {size: f"{contents}_{workspaces}_{size}" for size in options.sizes}
    for size, name in names.items():
        make_history(lease, name, size, workspaces, clustered=kind != "backlog")
    rates: dict[int, list[float]] = defaultdict(list)
    by_processor: dict[int, list[float]] = defaultdict(list)
    for number in range(1 if options.explain else options.rounds):
        for size, name in names.items():
            done, seconds, used = measure(
                lease, name, kind, size, workspaces, explain=options.explain
            )
            rates[size].append(done / seconds)
            by_processor[size].append(done / used)
            cells = [f"{size:,}", workspaces, number + 1, f"{done:,}", f"{seconds:.2f}"]
            load = f"{os.getloadavg()[0]:.1f}"
            cells += [f"{done / seconds:,.0f}/s", f"{done / used:,.0f}/s", load]
            print(ROW.format(kind, *cells), flush=True)
    ratio = _ratio(f"{kind}, {workspaces} workspaces, by the clock", rates)
    _ratio(f"{kind}, {workspaces} workspaces, by processor time", by_processor)
    return ratio


def _ratio(what: str, rates: dict[int, list[float]]) -> float:
    medians = {size: statistics.median(rates[size]) for size in sorted(rates)}
    ratio = medians[max(medians)] / medians[min(medians)]
    shown = ", ".join(f"{size:,}: {rate:,.0f}/s" for size, rate in medians.items())
    print(f"{what}: medians {shown}; ratio {ratio:.2f} (floor {FLOOR})", flush=True)
    return ratio


if __name__ == "__main__":
    sys.exit(main())
