"""Sessions that write at once, and a history for them: nobody may wait for another for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import psycopg
import pytest

from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import NOW, capture_all, receive, rows, workspace_with
from tests.capture.test_order import STORY

DAYS = [NOW.date() - timedelta(days=ago) for ago in range(3)]
MODEL = WordLlamaEmbedder()


WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


Task = Callable[[Connection], object]


@pytest.fixture
def database(postgres: Lease, database: Database) -> Iterator[Database]:
    """Its sessions look for deadlocks as soon as they wait; and there was none."""
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as superuser:
        with database.connect() as conn:
            [(name,)] = rows(conn, "SELECT current_database()")
        superuser.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '2ms'")
        yield database
        [(deadlocks,)] = superuser.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = %s", (name,)
        )
        assert deadlocks == 0


def story(conn: Connection, chance: Random) -> None:
    """The story, each delivery on one of three days."""
    workspace_with(conn, "shop", 1, 2)
    receive(conn, [replace(one, partition_date=chance.choice(DAYS)) for one in STORY])


def at_once(database: Database, tasks: Sequence[Task]) -> None:
    """Runs the tasks, each on a connection of its own, which begin together."""
    begin, errors = threading.Barrier(len(tasks) + 1), []

    def run(task: Task) -> None:
        with database.connect() as conn:
            begin.wait()
            try:
                task(conn)
                conn.commit()
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    begin.wait()
    for thread in threads:
        thread.join()
    assert not errors


def finished(conn: Connection) -> list[tuple[str, str]]:
    """The digest once nothing is left to do."""
    capture_all(conn)
    embed_pending(conn, MODEL, PgVectorIndex(conn), max_rows=10_000)
    assign_provisional(conn, max_rows=10_000)
    consolidate(conn, MODEL, now=NOW)
    conn.commit()
    return digest_lines(conn)
