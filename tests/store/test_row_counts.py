"""Tables are counted while they are short; of long ones the server's estimates are shown, and named so."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.store import row_counts
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.status import read_status
from tests.arriving import arrive, link

DELIVERIES = 6


@pytest.fixture
def captured(conn: Connection) -> Connection:
    link(conn)
    arrive(conn, [date(2024, 5, 2)], each=DELIVERIES)
    now = datetime(2024, 5, 3, tzinfo=UTC)
    capture(conn, days=None, max_rows=100, batch_rows=100, now=now)
    conn.commit()
    return conn


def test_short_tables_are_counted_and_nothing_is_called_an_estimate(captured: Connection) -> None:
    status = read_status(captured, datetime.now(UTC))
    assert status["deliveries"]["delivered"] == DELIVERIES
    assert status["memory"]["observations"] == DELIVERIES
    assert "estimated" not in status


def test_long_tables_are_estimated_and_named(
    captured: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("ANALYZE")
    arrive(captured, [date(2024, 5, 3)], each=2, first=DELIVERIES + 1)
    monkeypatch.setattr(row_counts, "COUNTED_ROWS", 0)
    status = read_status(captured, datetime.now(UTC))
    assert {"delivered", "observations"} <= set(status["estimated"])
    # As of the last ANALYZE, less those that wait now.
    assert status["deliveries"]["delivered"] == DELIVERIES - 2
    assert status["deliveries"]["received"] == 2
    assert status["memory"]["observations"] == DELIVERIES
