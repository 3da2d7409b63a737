"""The database becomes unreachable while the receiver runs, and comes back."""

from __future__ import annotations

import os
import signal
from itertools import count as count_from
from pathlib import Path

from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    count,
    deliver,
    is_ready,
    no_session_left,
    ready_receiver,
    receiver,
    stored_ids,
    until,
)


def test_without_a_database_it_answers_503_and_recovers_when_there_is_one(
    database: Database, tmp_path: Path
) -> None:
    addresses = [f"postgresql://nobody@/nothing?host={tmp_path}"]
    with receiver(lambda: addresses[-1]) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        answer = deliver(client)
        assert (answer.status_code, int(answer.headers["retry-after"]) >= 1) == (503, True)
        addresses.append(database.url("receiver"))
        until(lambda: deliver(client).status_code == 200, "it did not recover")
        assert is_ready(client)
    assert count(database) == 1


def test_it_waits_for_tables_that_do_not_exist_yet(database: Database) -> None:
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute("ALTER TABLE lightfast.raw_queue RENAME TO elsewhere")
        with receiver(database.url("receiver")) as client:
            assert deliver(client).status_code == 503
            conn.execute("ALTER TABLE lightfast.elsewhere RENAME TO raw_queue")
            until(lambda: deliver(client).status_code == 200, "it did not recover")


def test_a_session_ended_by_an_administrator_is_replaced(database: Database) -> None:
    with (
        ready_receiver(database.url("receiver")) as client,
        # The role itself: the migrator may not end another role's session.
        database.connect("receiver", autocommit=True) as conn,
    ):
        assert deliver(client, delivery_id="before").status_code == 200
        conn.execute(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
              AND application_name = 'lightfast receiver'
            """
        )
        until(lambda: deliver(client, delivery_id="after").status_code == 200, "not replaced")
    assert stored_ids(database) == {"before", "after"}


def test_killing_postgres_causes_503_and_loses_no_answered_delivery(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, idle_seconds=1)
    numbers = count_from(1)
    answered: set[str] = set()
    with Database(lease=server.acquire()) as database:
        database.migrate()
        with ready_receiver(database.url("receiver")) as client:

            def one() -> int:
                delivery_id = str(next(numbers))
                answer = deliver(client, delivery_id=delivery_id)
                if answer.status_code == 200:
                    answered.add(delivery_id)
                else:
                    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
                return answer.status_code

            for _ in range(2):
                assert one() == 200
                pid = server.status().pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                until(lambda: one() == 503, "no 503")
                until(lambda: one() == 200, "it did not recover")
        assert answered <= stored_ids(database)
        no_session_left(database)
    server.stop(force=True)
