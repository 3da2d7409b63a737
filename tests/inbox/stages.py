"""Two organisations with observations, and the stages that run on them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.rows import Memory

FAILURES = "SELECT count(*) FROM lightfast.stage_failures"


def two_tenants(conn: Connection, *titles: str, honest: int = 10) -> tuple[Memory, list[int]]:
    """Two organisations with honest observations. The first also has one of each title: returns their ids."""
    attacker = Memory(conn, "attacker", "org-1")
    bad = [attacker.observation(f"github:commit:{n:039}b", title) for n, title in enumerate(titles)]
    for memory in (attacker, Memory(conn, "honest", "org-2")):
        for n in range(honest):
            memory.observation(f"github:commit:{n:040}", f"An honest change {n}")
    conn.commit()
    return attacker, bad


def embed(conn: Connection, model: WordLlamaEmbedder | None = None) -> int:
    report = embed_pending(conn, model or WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=1000)
    return report.observations


def cluster(conn: Connection) -> int:
    return assign_provisional(conn, max_rows=1000).observations


@contextmanager
def alarm_when_stuck(database: Database) -> Iterator[None]:
    """Ends the time of each statement that sleeps as soon as it does.

    So no other work has to fit into a short limit, however slow the machine is. Needs a limit that is
    in force: what nobody interrupts is cancelled after the alarm finds no handler, and fails the test.
    """
    done = threading.Event()
    unguarded: list[str] = []

    def watch() -> None:
        rung: set[tuple[int, object]] = set()
        with database.connect() as conn:
            conn.autocommit = True
            while not done.wait(0.02):
                sleeping = conn.execute(
                    "SELECT pid, query_start FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event = 'PgSleep'"
                ).fetchall()
                for pid, began in sleeping:
                    if (pid, began) in rung:
                        continue
                    rung.add((pid, began))
                    if signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN):
                        unguarded.append("a statement ran without a limit")
                        conn.execute("SELECT pg_cancel_backend(%s)", (pid,))
                    else:
                        signal.pthread_kill(main.ident or 0, signal.SIGALRM)

    main = threading.main_thread()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    assert unguarded == []
