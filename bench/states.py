"""Time of one answer to "what state was this in then?" among a million intervals.

`python -m bench.states [--intervals N]`: half of the intervals belong to things with ten each, the others
to ten things with very many. Prints the slowest of many questions at random moments on both clocks,
beside the time of an empty question on the same connection.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import add_workspace

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
LONG_LIVED = 10
EACH = 10
QUESTIONS = 2_000
WANTED_MS = 5.0

# Every change but the last leaves two rows: what was believed until it ended, and that it has ended.
_FILL = """
INSERT INTO lightfast.temporal_states
  (workspace_id, entity_type, entity_id, entity_name, state_type, state_value, valid_from, valid_to,
   is_current, recorded_at, superseded_at)
SELECT %(workspace)s, 'pull_request', 'github:pr:1#' || thing, 'A change',
       'status', 'value ' || n, %(begin)s + n * step, ends, ends IS NULL AND until IS NULL,
       %(begin)s + n * step + CASE WHEN ends IS NULL THEN interval '1 second' ELSE step END, until
FROM (SELECT generate_series(%(first)s::int, %(last)s::int) AS thing) things
CROSS JOIN generate_series(0, %(changes)s::int - 1) AS n
CROSS JOIN LATERAL (SELECT interval '2000 days' / %(changes)s::int AS step) s
CROSS JOIN LATERAL (
  SELECT NULL::timestamptz AS ends,
         CASE WHEN n < %(changes)s::int - 1 THEN %(begin)s + (n + 1) * step END AS until
  UNION ALL
  SELECT %(begin)s + (n + 1) * step, NULL WHERE n < %(changes)s::int - 1
) beliefs
"""
_THINGS = """
INSERT INTO lightfast.entities
  (workspace_id, category, key, value, confidence, first_seen_at, last_seen_at, occurrence_count,
   is_stub)
SELECT DISTINCT t.workspace_id, t.entity_type, t.entity_id, t.entity_name, 1::real, now(), now(), 1, false
FROM lightfast.temporal_states t
"""


def fill(conn: Connection, intervals: int) -> int:
    """Fills the tables and returns the number of things with ten changes each."""
    workspace = add_workspace(conn, "bench").id
    things = intervals // 2 // (2 * EACH - 1)
    for first, last, changes in (
        (1, LONG_LIVED, intervals // 2 // LONG_LIVED // 2),
        (LONG_LIVED + 1, LONG_LIVED + things, EACH),
    ):
        parameters = {"workspace": workspace, "begin": BEGIN, "first": first, "last": last}
        conn.execute(_FILL, {**parameters, "changes": changes})
    conn.execute(_THINGS)
    conn.commit()
    return things


def ask(conn: Connection, question: str, parameters: Sequence[Sequence[object]]) -> list[float]:
    """Milliseconds of each question over one connection, sorted: the best of three each, as the scheduler of
    a busy machine adds up to 10 ms to any of them."""
    spent = [float("inf")] * len(parameters)
    for _ in range(3):
        for number, values in enumerate(parameters):
            began = time.perf_counter()
            conn.execute(question, values, prepare=True).fetchall()
            spent[number] = min(spent[number], (time.perf_counter() - began) * 1000)
    return sorted(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intervals", type=int, default=1_000_000)
    arguments = parser.parse_args()
    chance = random.Random(7)

    def moment() -> datetime:
        return BEGIN + timedelta(days=chance.uniform(1, 2_100))

    with tempfile.TemporaryDirectory() as folder:
        lease = EmbeddedPostgres(Path(folder), idle_seconds=5).acquire()
        database = Database(lease=lease)
        database.migrate()
        with database.connect("migrator", autocommit=True) as conn:
            things = fill(conn, arguments.intervals)
            conn.execute("ANALYZE lightfast.temporal_states, lightfast.entities")
        with database.connect("analyst") as conn:
            count = conn.execute("SELECT count(*) FROM lightfast.temporal_states").fetchone()
            print(f"{count[0] if count else 0:,} intervals of {things + LONG_LIVED:,} things")
            few = [
                f"github:pr:1#{chance.randrange(LONG_LIVED + 1, things)}" for _ in range(QUESTIONS)
            ]
            many = [f"github:pr:1#{chance.randint(1, LONG_LIVED)}" for _ in range(QUESTIONS)]
            at = "SELECT * FROM lightfast.state_at('bench', %s, %s)"
            known = "SELECT * FROM lightfast.states_as_known('bench', %s, %s, %s)"
            slowest = 0.0
            for label, question, parameters in (
                ("empty question", "SELECT %s", [(key,) for key in few]),
                ("state_at, ten changes", at, [(key, moment()) for key in few]),
                ("state_at, very many changes", at, [(key, moment()) for key in many]),
                ("as known then, ten changes", known, [(key, moment(), moment()) for key in few]),
                ("as known then, very many", known, [(key, moment(), moment()) for key in many]),
            ):
                spent = ask(conn, question, parameters)
                slowest = max(slowest, spent[-1])
                print(
                    f"{label:<30} median {statistics.median(spent):6.2f} ms"
                    f"   99 % {spent[int(len(spent) * 0.99)]:6.2f} ms   slowest {spent[-1]:6.2f} ms"
                )
            print(f"slowest of all {slowest:.2f} ms; wanted: below {WANTED_MS} ms")


if __name__ == "__main__":
    main()
