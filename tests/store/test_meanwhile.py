"""Work that is done while a connection waits for Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg.errors import DivisionByZero

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.meanwhile import meanwhile
from tests.capture.deliveries import one

_LOCK = "SELECT pg_advisory_xact_lock(1)"


@contextmanager
def _holding_the_lock(database: Database) -> Iterator[Connection]:
    with database.connect() as other:
        other.execute(_LOCK)
        yield other


def test_work_is_done_while_a_statement_waits(database: Database, conn: Connection) -> None:
    """The statement would wait for ever for a lock that only the work releases."""
    done: list[int] = []
    with _holding_the_lock(database) as other:

        def work() -> bool:
            done.append(len(done))
            if len(done) == 3:
                other.rollback()
            return len(done) < 3

        with meanwhile(conn, work):
            conn.execute(_LOCK)
    assert done == [0, 1, 2]
    assert one(conn, "SELECT 1") == 1


def test_a_copy_with_work_in_between_copies_every_row(conn: Connection) -> None:
    left = list(range(50))
    conn.execute("CREATE TEMPORARY TABLE numbers (n integer, text text)")
    with (
        meanwhile(conn, lambda: bool(left) and left.pop() > 0),
        conn.cursor().copy("COPY numbers FROM STDIN") as copy,
    ):
        for n in range(20_000):
            copy.write_row((n, "x" * 500))
    assert one(conn, "SELECT count(*) FROM numbers") == 20_000


def test_an_interruption_of_the_work_ends_the_statement_and_leaves_the_connection_usable(
    database: Database, conn: Connection
) -> None:
    with _holding_the_lock(database) as other:

        def interrupted() -> bool:
            """Postgres ignores a request to cancel what it has not begun, and psycopg then waits in vain."""
            waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
            if not other.execute(waits, (conn.info.backend_pid,)).fetchall():
                return True
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), meanwhile(conn, interrupted):
            conn.execute(_LOCK)
        conn.rollback()
        assert one(conn, "SELECT 1") == 1


def test_a_statement_that_fails_while_work_is_done_raises_its_own_error(conn: Connection) -> None:
    with pytest.raises(DivisionByZero), meanwhile(conn, lambda: True):
        conn.execute("SELECT 1 / (random() * 0)::int")
    conn.rollback()
    assert one(conn, "SELECT 1") == 1
