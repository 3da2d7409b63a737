"""Storing deliveries: once each, byte for byte, with no more rights than INSERT."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import asyncpg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    INSERT_SQL,
    MAX_NAME_BYTES,
    Delivery,
    columns,
    distinct,
    insert_deliveries,
    partition_date_of,
)
from tests.depth import examples

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
START = date(2008, 1, 1)


def delivery(delivery_id: str = "one", body: bytes = b"{}", **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "provider": "github",
        "delivery_id": delivery_id,
        "event_type": "push",
        "body": body,
        "headers": {"x-github-event": "push"},
        "received_at": NOW,
        "partition_date": NOW.date(),
        "ingestion_source": "webhook",
        "verified_by": "env:SECRET",
    }
    return Delivery(**values | changes)


def rows(conn: Connection) -> list[tuple[Any, ...]]:
    """Payloads with the body and queue row that belong to them, in order of their ids."""
    return conn.execute(
        """
        SELECT p.delivery_id, p.org_id, b.body, b.headers, q.partition_date
        FROM lightfast.raw_payloads p
        FULL JOIN lightfast.raw_bodies b
          ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        FULL JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
        ORDER BY p.id
        """
    ).fetchall()


def test_each_delivery_is_stored_with_its_own_body_in_order_of_arrival(conn: Connection) -> None:
    given_ids = ["z", "a", "m"]
    assert insert_deliveries(conn, [delivery(i, i.encode()) for i in given_ids]) == 3
    headers, day = {"x-github-event": "push"}, NOW.date()
    assert rows(conn) == [(i, None, i.encode(), headers, day) for i in given_ids]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_a_delivery_verified_by_another_secret_hides_none(conn: Connection, together: bool) -> None:
    """The same bytes and id, of whoever sends them first."""
    others = ("installation:2", "installation:1", "env:SECRET", "credential:1")
    copies = [delivery(verified_by=name) for name in others]
    copies += [delivery(verified_by="manual", org_id=org) for org in ("acme", "rival")]
    if together:
        assert insert_deliveries(conn, [*copies, *copies]) == 6
    else:
        assert [insert_deliveries(conn, [copy]) for copy in copies] == [1] * 6
    assert insert_deliveries(conn, reversed(copies)) == 0
    stored = conn.execute(
        "SELECT verified_by, org_id, id_reused FROM lightfast.deliveries ORDER BY id"
    )
    assert stored.fetchall() == [(c.verified_by, c.org_id, False) for c in copies]
    bodies = conn.execute(
        "SELECT count(*), count(DISTINCT raw_payload_id) FROM lightfast.raw_bodies"
    )
    assert bodies.fetchone() == (6, 6)


def test_a_delivery_verified_by_two_secrets_of_one_setting_is_stored_once(conn: Connection) -> None:
    """The provider sends it again, signed with the new secret, while both are live."""
    by_old, by_new = (delivery(verified_by=name) for name in ("env:SECRET#2", "env:SECRET"))
    assert distinct([by_old, by_new]) == [by_old]
    assert [insert_deliveries(conn, [one]) for one in (by_old, by_new)] == [1, 0]


def test_an_id_counts_as_reused_only_within_its_secret_and_organisation(conn: Connection) -> None:
    mine, other = {"verified_by": "installation:1"}, {"verified_by": "installation:2"}
    insert_deliveries(conn, [delivery("a", b"1", **mine), delivery("a", b"2", **other)])
    insert_deliveries(conn, [delivery("b", b"1", **mine), delivery("b", b"2", **mine)])
    reused = conn.execute("SELECT delivery_id, id_reused FROM lightfast.deliveries ORDER BY id")
    assert reused.fetchall() == [("a", False), ("a", False), ("b", True), ("b", True)]


def test_only_new_deliveries_are_stored(conn: Connection) -> None:
    first, again = delivery("one", b"1"), delivery("one", b"1", headers={"x-other": "1"})
    assert insert_deliveries(conn, [first, again]) == 1
    other_body, other_org = delivery("one", b"2"), delivery("one", b"1", org_id="acme")
    assert insert_deliveries(conn, [again, other_body, first, other_org, other_org]) == 2
    assert insert_deliveries(conn, [other_org, other_body]) == 0
    assert [(row[1], row[2]) for row in rows(conn)] == [(None, b"1"), (None, b"2"), ("acme", b"1")]


@examples(15)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("-o"))),
        max_size=5,
    )
)
def test_any_batches_leave_one_row_per_key(
    new_database_url: str, batches: Sequence[Sequence[tuple[str, str, str]]]
) -> None:
    with psycopg.connect(new_database_url) as conn:
        new = 0
        for batch in batches:
            new += insert_deliveries(
                conn, [delivery(i, b.encode(), org_id=None if o == "-" else o) for i, b, o in batch]
            )
        wanted = {key for batch in batches for key in batch}
        stored = [(r[0], r[2].decode(), r[1] or "-") for r in rows(conn)]
        assert (new, sorted(stored)) == (len(wanted), sorted(wanted))
        conn.rollback()


@pytest.fixture(scope="module")
def new_database_url(module_database: Database) -> str:
    return module_database.url()


@pytest.fixture(scope="module")
def module_database(postgres: Any) -> Iterator[Database]:
    """One for all examples of a property; each example is rolled back."""
    with Database(lease=postgres).connect("migrator", autocommit=True) as conn:
        conn.execute("CREATE DATABASE inbox_examples TEMPLATE lightfast_template")
        yield Database(lease=postgres, name="inbox_examples")
        conn.execute("DROP DATABASE inbox_examples WITH (FORCE)")


def test_bytes_that_are_not_text_are_stored_unchanged(conn: Connection) -> None:
    body = bytes(range(256)) * 100
    insert_deliveries(conn, [delivery(body=body), delivery("empty", b"")])
    assert [row[2] for row in rows(conn)] == [body, b""]
    hashes = conn.execute("SELECT body_sha256 FROM lightfast.raw_payloads ORDER BY id").fetchall()
    assert hashes == [(hashlib.sha256(b).digest(),) for b in (body, b"")]


def test_text_that_postgres_cannot_store_is_replaced(conn: Connection) -> None:
    odd = delivery("a\0b\ud800c", event_type="é\0", headers={"h\0": "\udc00v", "n": '"\\'})
    assert insert_deliveries(conn, [odd]) == 1
    assert rows(conn)[0][0] == "a\ufffdb\ufffdc"
    assert rows(conn)[0][3] == {"h\ufffd": "\ufffdv", "n": '"\\'}


def test_names_that_cannot_be_stored_are_refused_before_they_reach_a_batch() -> None:
    delivery("x" * MAX_NAME_BYTES)
    wrong: list[dict[str, Any]] = [
        {"delivery_id": ""},
        {"delivery_id": "é" * MAX_NAME_BYTES},
        {"event_type": ""},
        {"event_type": "x" * (MAX_NAME_BYTES + 1)},
    ]
    for changes in wrong:
        with pytest.raises(ValueError, match=r"is (empty|longer)"):
            delivery(**changes)


def test_the_longest_name_fits_the_index(conn: Connection) -> None:
    """Random letters, so that compression does not help."""
    name = "".join(hashlib.sha512(bytes([n])).hexdigest() for n in range(8))[:MAX_NAME_BYTES]
    assert insert_deliveries(conn, [delivery(name, org_id=name)]) == 1


def test_a_role_that_may_only_insert_can_run_the_statement(database: Database) -> None:
    async def store() -> list[int]:
        connection = await asyncpg.connect(database.url("receiver"))
        try:
            positions = []
            for batch in ([delivery("a"), delivery("b")], [delivery("b"), delivery("c")]):
                positions += [row[0] for row in await connection.fetch(INSERT_SQL, *columns(batch))]
            for forbidden in (
                "SELECT id FROM lightfast.raw_payloads",
                "SELECT body FROM lightfast.raw_bodies",
                "DELETE FROM lightfast.raw_queue",
                "UPDATE lightfast.raw_payloads SET event_type = 'x'",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(forbidden)
            return positions
        finally:
            await connection.close()

    assert asyncio.run(store()) == [1, 2, 2]
    with database.connect() as conn:
        assert [row[0] for row in rows(conn)] == ["a", "b", "c"]


def test_only_one_chunk_of_many_deliveries_is_in_memory(conn: Connection) -> None:
    number, size = 60, CHUNK_BYTES // 4

    def made() -> Iterator[Delivery]:
        for n in range(number):
            yield delivery(str(n), str(n).encode().ljust(size))

    tracemalloc.start()
    try:
        assert insert_deliveries(conn, made()) == number
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * CHUNK_BYTES < number * size


def test_repetitions_in_different_chunks_are_stored_once(conn: Connection) -> None:
    many = [delivery(str(n % (CHUNK_ROWS + 5))) for n in range(2 * CHUNK_ROWS + 10)]
    assert insert_deliveries(conn, many) == CHUNK_ROWS + 5
    assert len(rows(conn)) == CHUNK_ROWS + 5


def test_the_first_delivery_of_a_key_is_kept() -> None:
    first, second = delivery(headers={"x-other": "1"}), delivery(headers={"x-other": "2"})
    assert distinct([first, delivery("two"), second]) == [first, delivery("two")]


def test_a_delivery_with_a_wrong_event_hides_none_with_the_right_one(conn: Connection) -> None:
    """Nothing signs the event's name: whoever holds a delivery may have sent it under another."""
    wrong, right = delivery(event_type="star"), delivery(event_type="issues")
    assert distinct([wrong, right, wrong]) == [wrong, right]
    assert [insert_deliveries(conn, [one]) for one in (wrong, right, right)] == [1, 1, 0]


def test_the_partition_is_the_utc_day_within_the_start_and_today() -> None:
    def day(when: datetime) -> date:
        return partition_date_of(when, start=START, now=NOW)

    east = timezone(timedelta(hours=9))
    assert day(NOW) == date(2026, 5, 17)
    assert day(datetime(2026, 5, 17, 8, tzinfo=east)) == date(2026, 5, 16)
    assert day(NOW + timedelta(days=400)) == date(2026, 5, 17)
    assert day(datetime(1999, 1, 1, tzinfo=UTC)) == START
    with pytest.raises(ValueError, match="time zone"):
        day(datetime(2026, 5, 17))  # noqa: DTZ001 - the fault under test
