"""A payload that cannot be written becomes a dead letter alone; a fault of the machine makes none."""

from __future__ import annotations

import random

import psycopg
import pytest

from lightfast_pipelines.inbox.faults import is_fault_of_payload
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, one, receive, rows, workspace_with
from tests.providers.github import payloads as github


def waiting_deliveries(conn: Connection) -> None:
    workspace_with(conn, "shop", 1)
    receive(conn, [delivery("issues", github.issue("opened", number)) for number in (1, 2, 3)])


@pytest.mark.parametrize(
    ("breaking", "error"),
    [
        (
            "ALTER TABLE lightfast.observation_facts RENAME COLUMN content TO body",
            psycopg.errors.UndefinedColumn,
        ),
        (
            "REVOKE INSERT ON lightfast.relationship_sources, lightfast.state_changes"
            " FROM lightfast_pipeline",
            psycopg.errors.InsufficientPrivilege,
        ),
    ],
    ids=["a missing column", "a missing right"],
)
def test_an_error_that_would_hit_every_payload_ends_the_run_and_leaves_the_queue(
    database: Database, conn: Connection, breaking: str, error: type[Exception]
) -> None:
    waiting_deliveries(conn)
    conn.commit()
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(breaking)
    with pytest.raises(error):
        capture_all(conn)
    conn.rollback()
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 3
    assert one(conn, "SELECT count(*) FROM lightfast.outcomes") == 0


def test_a_value_too_large_for_an_index_is_one_dead_letter(
    database: Database, conn: Connection
) -> None:
    """Postgres reports it as an OperationalError. The letters are random because repeated ones compress."""
    chance = random.Random(1)
    body = "".join(chr(chance.randint(0x4E00, 0x9FFF)) for _ in range(3_000))
    waiting_deliveries(conn)
    receive(conn, [delivery("issues", github.issue("opened", 4, body=body))])
    conn.commit()
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("CREATE INDEX ON lightfast.observation_facts (content)")
    assert capture_all(conn).outcomes == {"delivered": 3, "dlq": 1}
    [(reason,)] = rows(conn, "SELECT reason FROM lightfast.outcomes WHERE status = 'dlq'")
    assert "index row" in reason


@pytest.mark.parametrize(
    ("error", "of_a_payload"),
    [
        (psycopg.errors.ProgramLimitExceeded("index row size 3072 exceeds"), True),
        (psycopg.errors.UniqueViolation("twice"), True),
        (psycopg.errors.NumericValueOutOfRange("too large"), True),
        (psycopg.errors.StatementTooComplex("stack depth limit exceeded"), True),
        (psycopg.DataError("cannot contain NUL"), True),
        (KeyError("id"), True),
        (RecursionError(), True),
        (psycopg.errors.UndefinedTable("no such table"), False),
        (psycopg.errors.SyntaxError("at or near"), False),
        (psycopg.errors.DiskFull("no space left"), False),
        (psycopg.errors.DeadlockDetected("deadlock"), False),
        (psycopg.errors.AdminShutdown("terminating"), False),
        (psycopg.errors.QueryCanceled("statement timeout"), False),
        (psycopg.OperationalError("connection refused"), False),
        (psycopg.ProgrammingError("the query has 3 placeholders"), False),
        (MemoryError(), False),
        (OSError(28, "No space left on device"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_is_the_fault_of_a_payload_or_of_the_machine(
    error: Exception, of_a_payload: bool
) -> None:
    assert is_fault_of_payload(error) == of_a_payload
