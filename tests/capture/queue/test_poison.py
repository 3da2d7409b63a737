"""One tenant's payload that cannot be captured stops nobody: it ends alone in the dead letters."""

from __future__ import annotations

import re
import signal
import threading

import psycopg
import pytest

from lightfast_pipelines.capture.queue.attempts import MOST_ATTEMPTS
from lightfast_pipelines.capture.queue.batches import CaptureReport, capture
from lightfast_pipelines.inbox.requeue import replay
from lightfast_pipelines.inbox.waiting import waiting_for_you
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.time_limit import OutOfTime, TimeLimit, within
from tests.capture.deliveries import NOW, one, receive, rows
from tests.depth import size
from tests.poison import (
    ATTACKER,
    FOREVER,
    KINDS,
    OTHERS,
    allow_again,
    arrive,
    opened,
    refuse,
    tenants,
)

# No honest batch takes as long, however slow the machine is.
LIMIT = TimeLimit(batch=60.0)
# For what never ends, alone: nothing else is captured under it, and what is tried has an hour.
SHORT = TimeLimit(batch=0.2, row=0.0, mebibyte=0.0, leisure=18_000)


def capture_all(conn: Connection, batch_rows: int = 500, limit: TimeLimit = LIMIT) -> CaptureReport:
    return capture(
        conn, days=None, max_rows=1_000_000, batch_rows=batch_rows, now=NOW, time_limit=limit
    )


def everything(conn: Connection, batch_rows: int = 500, limit: TimeLimit = LIMIT) -> None:
    while capture_all(conn, batch_rows, limit).more:
        pass


def captured(conn: Connection) -> dict[int, int]:
    """Repository -> its observations."""
    return dict(
        rows(
            conn,
            """
            SELECT split_part(split_part(subject_key, ':', 3), '#', 1)::int, count(*)::int
            FROM lightfast.observations GROUP BY 1
            """,
        )
    )


@pytest.mark.parametrize("way", KINDS)
def test_a_poison_payload_is_one_dead_letter_and_everything_else_is_captured(
    database: Database, conn: Connection, way: str
) -> None:
    poison, every = size(1, 10), size(20, 100)
    tenants(conn)
    arrive(conn, [way], poison=poison, every=every)
    refuse(database)
    everything(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
    assert sum(captured(conn).values()) == poison * (every - 1)
    dead = waiting_for_you(conn, now=NOW).dead
    assert sum(letter.deliveries for letter in dead) == poison
    assert all(KINDS[way][1] in letter.cause for letter in dead)
    assert {letter.command for letter in dead} == {"lightfast replay --status dlq"}


def test_only_payloads_that_never_end_become_dead_letters_after_their_attempts(
    database: Database, conn: Connection
) -> None:
    tenants(conn)
    refuse(database)
    receive(conn, [opened(2, 1, "An honest issue")])
    everything(conn)
    receive(conn, [opened(ATTACKER, n, f"A poison {FOREVER}. {n}") for n in range(2, 4)])
    everything(conn, limit=SHORT)
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
    assert captured(conn) == {2: 1}
    assert set(rows(conn, "SELECT attempts FROM lightfast.outcomes WHERE status = 'dlq'")) == {
        (MOST_ATTEMPTS,)
    }
    for letter in waiting_for_you(conn, now=NOW).dead:
        # Whether Postgres or Python was at work when the time was over.
        assert re.search("statement timeout|took longer than 0.2 s", letter.cause), letter.cause


def test_poison_of_every_kind_at_once_leaves_the_other_tenants_rows_as_they_are_without_it(
    database: Database, conn: Connection
) -> None:
    tenants(conn)
    arrive(conn, list(KINDS), poison=size(1, 10), every=size(4, 100))
    refuse(database)
    everything(conn, batch_rows=size(10, 500))
    sent = rows(
        conn,
        """
        SELECT split_part(delivery_id, '-', 1)::int, count(*)::int
        FROM lightfast.raw_payloads GROUP BY 1
        """,
    )
    got = captured(conn)
    assert {repository: got[repository] for repository in OTHERS} == {
        repository: count for repository, count in sent if repository != ATTACKER
    }
    reasons = [
        reason
        for (reason,) in rows(conn, "SELECT reason FROM lightfast.outcomes WHERE status = 'dlq'")
    ]
    assert len(reasons) == len(KINDS) * size(1, 10)
    for way in KINDS:
        assert any(KINDS[way][1] in reason for reason in reasons), way


def test_a_replayed_dead_letter_has_all_of_its_attempts_again_and_is_captured_once_it_can_be(
    database: Database, conn: Connection
) -> None:
    tenants(conn)
    arrive(conn, ["disk"], poison=1, every=3)
    refuse(database)
    everything(conn)
    dead = "SELECT attempts FROM lightfast.outcomes WHERE status = 'dlq'"
    assert one(conn, dead) == MOST_ATTEMPTS
    for _ in range(2):
        assert replay(conn, ["dlq"]) == 1
        conn.commit()
        everything(conn)
        assert one(conn, dead) == MOST_ATTEMPTS
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("DROP TRIGGER refuse ON lightfast.observation_facts")
    replay(conn, ["dlq"])
    conn.commit()
    everything(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.outcomes WHERE status = 'dlq'") == 0
    assert sum(captured(conn).values()) == 3


def test_a_payload_that_kills_the_process_is_a_dead_letter_after_some_attempts(
    database: Database, conn: Connection
) -> None:
    """The connection's end stands for the process's: what was not committed is gone with both."""
    tenants(conn)
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(
            """
            CREATE FUNCTION lightfast.crash() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF NEW.title LIKE '%poison%' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
              RETURN NEW;
            END $$
            """
        )
        owner.execute(
            "CREATE TRIGGER crash BEFORE INSERT ON lightfast.observation_facts"
            " FOR EACH ROW EXECUTE FUNCTION lightfast.crash()"
        )
    arrive(conn, ["crash"], poison=2, every=30)
    ends = 0
    while one(conn, "SELECT count(*) FROM lightfast.raw_queue"):
        with database.connect() as process:
            try:
                everything(process)
            except psycopg.OperationalError:
                ends += 1
    assert ends <= 2 * MOST_ATTEMPTS
    assert sum(captured(conn).values()) == 58
    assert set(rows(conn, "SELECT attempts FROM lightfast.outcomes WHERE status = 'dlq'")) == {
        (MOST_ATTEMPTS + 1,)
    }
    [letter] = waiting_for_you(conn, now=NOW).dead
    assert letter.deliveries == 2
    assert "ended each time" in letter.cause


def test_an_outage_is_blamed_on_no_payload_however_often_it_is_tried(
    database: Database, conn: Connection
) -> None:
    tenants(conn)
    receive(conn, [opened(2, 1, "Before the outage")])
    capture_all(conn)
    receive(conn, [opened(repository, 2, "During it") for repository in (1, 2, 3)])
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("ALTER TABLE lightfast.observation_facts RENAME COLUMN content TO body")
        for _ in range(2 * MOST_ATTEMPTS):
            with pytest.raises(psycopg.errors.UndefinedColumn):
                capture_all(conn)
            conn.rollback()
        assert rows(conn, "SELECT attempts FROM lightfast.raw_queue") == [(0,)] * 3
        owner.execute("ALTER TABLE lightfast.observation_facts RENAME COLUMN body TO content")
    assert capture_all(conn).outcomes == {"delivered": 3}


def test_a_full_disk_is_blamed_on_no_payload_though_others_still_find_room(
    database: Database, conn: Connection
) -> None:
    """A trigger stands for what needs a new page; that no room can be taken, for a disk that is full."""
    tenants(conn)
    receive(conn, [opened(2, 1, "Before the disk was full")])
    capture_all(conn)
    refuse(database)
    receive(conn, [opened(ATTACKER, 2, "Needs a new page: a poison disk. 2")])
    conn.execute("CREATE TEMP TABLE disk_room ()")
    conn.commit()
    for _ in range(2 * MOST_ATTEMPTS):
        with pytest.raises(psycopg.errors.DiskFull):
            capture_all(conn)
        conn.rollback()
    assert rows(conn, "SELECT attempts FROM lightfast.raw_queue") == [(0,)]
    allow_again(database, "observation_facts")
    assert capture_all(conn).outcomes == {"delivered": 1}


def test_an_outage_before_anything_was_ever_captured_leaves_no_dead_letter(
    database: Database, conn: Connection
) -> None:
    tenants(conn)
    arrive(conn, ["none"], poison=1, every=40)
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("ALTER TABLE lightfast.observation_facts RENAME COLUMN content TO body")
        for _ in range(2 * MOST_ATTEMPTS):
            with pytest.raises(psycopg.errors.UndefinedColumn):
                capture_all(conn)
            conn.rollback()
        owner.execute("ALTER TABLE lightfast.observation_facts RENAME COLUMN body TO content")
    everything(conn)
    assert rows(conn, "SELECT status, count(*) FROM lightfast.outcomes GROUP BY 1") == [
        ("delivered", 40)
    ]


def test_code_that_never_ends_is_interrupted_in_the_middle_of_a_regular_expression(
    conn: Connection,
) -> None:
    with pytest.raises(OutOfTime), within(conn, 0.05):
        re.match(r"(a+)+$", "a" * 60 + "b")
    conn.rollback()
    assert one(conn, "SHOW statement_timeout") == "0"


def test_statements_without_end_are_ended_and_leave_the_connection_usable(
    conn: Connection,
) -> None:
    def ask_for_ever() -> None:
        while True:
            conn.execute("SELECT pg_sleep(0.001)")

    with pytest.raises((OutOfTime, psycopg.errors.QueryCanceled)), within(conn, 0.05):
        ask_for_ever()
    conn.rollback()
    assert one(conn, "SELECT 1") == 1


def test_a_statement_that_waits_for_a_lock_ends_and_leaves_the_connection_usable(
    database: Database, conn: Connection
) -> None:
    with database.connect("migrator") as owner:
        owner.execute("LOCK TABLE lightfast.observation_facts")
        with pytest.raises(psycopg.errors.QueryCanceled), within(conn, 0.05):
            conn.execute("SELECT count(*) FROM lightfast.observations")
    conn.rollback()
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0


def test_who_is_asked_to_end_blames_no_payload(database: Database, conn: Connection) -> None:
    """As by Ctrl-C, while a statement of the batch waits."""
    tenants(conn)
    receive(conn, [opened(2, 1, "An honest issue")])
    finished, main = threading.Event(), threading.get_ident()

    def interrupt() -> None:
        with database.connect(autocommit=True) as watcher:
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not finished.is_set() and not one(watcher, waits):
                pass
        signal.pthread_kill(main, signal.SIGINT)

    watching = threading.Thread(target=interrupt)
    # A shell starts its jobs in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with database.connect("migrator") as owner:
        owner.execute("LOCK TABLE lightfast.observation_facts")
        watching.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                capture(conn, days=None, max_rows=9, batch_rows=9, now=NOW)
        finally:
            finished.set()
            watching.join()
            signal.signal(signal.SIGINT, before)
    assert rows(conn, "SELECT attempts FROM lightfast.raw_queue") == [(0,)]
