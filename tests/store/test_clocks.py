"""Differences between clocks, and deliveries on future days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from lightfast_pipelines.store.clocks import difference, with_later_days
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.status import read_status
from tests.arriving import arrive, link
from tests.capture.deliveries import capture_all, one


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, None),
        (-59, None),
        (61, "1 minute ahead of"),
        (-7200, "2 hours behind"),
        (400 * 86_400, "400 days ahead of"),
    ],
)
def test_clocks_that_differ_by_a_minute_or_more_are_reported(
    seconds: float, words: str | None
) -> None:
    assert difference(seconds) == (words and f"this machine's clock is {words} the database's")


def test_deliveries_of_future_days_are_captured_with_todays_only(conn: Connection) -> None:
    """As after a clock went back: a delivery stored under tomorrow's date is captured today."""
    link(conn)
    today = date(2024, 5, 10)
    arrive(conn, [today, today + timedelta(days=1), date(2025, 6, 14)])
    assert with_later_days(conn, [date(2024, 5, 9)], today) == [date(2024, 5, 9)]
    days = with_later_days(conn, [date(2024, 5, 9), today], today)
    assert days == [date(2024, 5, 9), today, today + timedelta(days=1), date(2025, 6, 14)]
    capture_all(conn, days=days)
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0


def test_status_shows_the_difference_of_clocks_and_what_is_dated_in_the_future(
    conn: Connection,
) -> None:
    link(conn)
    today = date(2024, 5, 10)
    arrive(conn, [today, date(2024, 5, 12)])
    capture_all(conn)
    clocks = read_status(conn, datetime.combine(today, time(12), UTC))["clocks"]
    assert "behind the database's" in clocks.pop("this_machine")
    assert clocks == {
        "deliveries_on_days_to_come": 1,
        "last_of_these_days": "2024-05-12",
        "observations_dated_after_now": 1,
    }
    now = read_status(conn, datetime.now(UTC))["clocks"]
    assert now["this_machine"] == "agrees with the database's clock"
    assert now["deliveries_on_days_to_come"] == 0
