"""Bodies of months that are over are compressed or deleted where that is asked for, but no unsettled one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.old_bodies import Retained, retain_bodies
from tests.arriving import arrive, link
from tests.webhook_receiver.serving import until

MONTH_ENDED = date(2024, 6, 1)
TODAY = date(2024, 7, 1)


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with database.connect("migrator", autocommit=True) as conn:
        yield conn


@pytest.fixture
def captured(conn: Connection, owner: Connection) -> Connection:
    """Two captured deliveries of May 2024, and one of May and one of June that wait."""
    owner.execute("SELECT lightfast.make_body_partition('2024-05-01')")
    owner.execute("SELECT lightfast.make_body_partition('2024-06-01')")
    link(conn)
    arrive(conn, [date(2024, 5, 1), date(2024, 5, 2)])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    arrive(conn, [date(2024, 5, 3), date(2024, 6, 3)], first=3)
    return conn


def bodies(conn: Connection) -> dict[str, str]:
    """Delivery -> the digest of its body, of the bodies that are there."""
    rows = conn.execute(
        """
        SELECT p.delivery_id, md5(b.body) FROM lightfast.raw_payloads p
        JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id ORDER BY 1
        """
    ).fetchall()
    conn.rollback()
    return dict(rows)


def test_without_a_setting_nothing_changes(captured: Connection, owner: Connection) -> None:
    before = bodies(captured)
    done = retain_bodies(owner, TODAY, keep_days=None, compress_days=None, at_most=9)
    assert (done, bodies(captured)) == (Retained(), before)


def test_settled_bodies_of_old_months_are_deleted_and_waiting_ones_stay(
    captured: Connection, owner: Connection
) -> None:
    done = retain_bodies(owner, TODAY, keep_days=30, compress_days=None, at_most=9)
    assert done == Retained(deleted=("2024-05",))
    assert bodies(captured).keys() == {"delivery-3", "delivery-4"}
    # What is left there is not written again every night.
    again = retain_bodies(owner, TODAY, keep_days=30, compress_days=None, at_most=9)
    assert again == Retained()
    capture(captured, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    statuses = captured.execute("SELECT DISTINCT status FROM lightfast.outcomes").fetchall()
    assert statuses == [("delivered",)]


def test_a_parked_body_stays(captured: Connection, owner: Connection) -> None:
    captured.execute("UPDATE lightfast.outcomes SET status = 'parked', reason = 'not linked'")
    captured.commit()
    before = bodies(captured)
    retain_bodies(owner, TODAY, keep_days=30, compress_days=None, at_most=9)
    assert bodies(captured) == before


def test_a_month_is_old_only_after_its_end(captured: Connection, owner: Connection) -> None:
    for days in (31, 99):
        assert (
            retain_bodies(owner, TODAY, keep_days=days, compress_days=days, at_most=9) == Retained()
        )


def test_compressed_bodies_are_the_same_bytes_in_less_space(
    captured: Connection, owner: Connection
) -> None:
    text = b'{"title": "all work and no play"}' * 1_000
    owner.execute(
        "UPDATE lightfast.raw_bodies SET body = %s WHERE raw_payload_id = "
        "(SELECT id FROM lightfast.raw_payloads WHERE delivery_id = 'delivery-1')",
        (text,),
    )
    before = bodies(captured)

    def size() -> int:
        row = owner.execute("SELECT pg_total_relation_size('lightfast.raw_bodies_2024_05')")
        return int((row.fetchone() or (0,))[0])

    full = size()
    for _ in range(2):
        done = retain_bodies(owner, TODAY, keep_days=None, compress_days=30, at_most=9)
    assert done == Retained(), "a compressed month is not compressed again"
    assert bodies(captured) == before
    assert size() < full - len(text) // 2


def test_a_month_in_use_is_left_to_the_next_night(
    captured: Connection, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightfast_pipelines.store.old_bodies.PATIENCE", "50ms")
    before = bodies(captured)
    captured.execute("SELECT count(*) FROM lightfast.raw_bodies")
    done = retain_bodies(owner, TODAY, keep_days=30, compress_days=None, at_most=9)
    captured.rollback()
    assert (done, bodies(captured)) == (Retained(), before)


def test_bodies_can_be_read_while_a_month_is_compressed(
    captured: Connection, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capture locks all partitions when it reads a body: it would wait for minutes."""
    monkeypatch.setattr("lightfast_pipelines.store.old_bodies.PATIENCE", "60s")
    before = bodies(captured)
    captured.execute("SELECT count(*) FROM lightfast.raw_bodies")

    def has_copied() -> bool:
        """Whether all that is left to do is to replace the partition's content."""
        rows = captured.execute(
            "SELECT mode, granted FROM pg_locks WHERE pid = %s"
            " AND relation = 'lightfast.raw_bodies_2024_05'::regclass",
            (owner.info.backend_pid,),
        )
        return {("ShareLock", True), ("AccessExclusiveLock", False)} <= set(rows)

    with ThreadPoolExecutor(1) as elsewhere:
        compressing = elsewhere.submit(
            retain_bodies, owner, TODAY, keep_days=None, compress_days=30, at_most=9
        )
        try:
            until(lambda: has_copied() or compressing.done(), "it did not copy the bodies")
            assert not compressing.done(), "it did not wait for a reader"
        finally:
            captured.rollback()
        assert compressing.result() == Retained(compressed=("2024-05",))
    assert bodies(captured) == before
