"""Arrivals by day since the last report."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lightfast_pipelines.inbox.arrivals import arrivals_since
from lightfast_pipelines.store.database import Connection
from tests.arriving import arrive

DAY = date(2024, 5, 1)


def test_only_days_with_something_new_are_told_with_all_their_deliveries(conn: Connection) -> None:
    arrive(conn, [DAY, DAY + timedelta(days=1)])
    first = arrivals_since(conn, 0)
    assert first.days == ((DAY, 1, 1), (DAY + timedelta(days=1), 1, 1))
    assert arrivals_since(conn, first.last_id).days == ()
    arrive(conn, [DAY], first=10)
    assert arrivals_since(conn, first.last_id).days == ((DAY, 1, 2),)


def test_more_days_than_a_tick_may_report_are_all_told_in_the_end(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightfast_pipelines.inbox.arrivals._DAYS", 50)
    days = [DAY + timedelta(days=n) for n in range(450)]
    arrive(conn, reversed(days))
    told: set[date] = set()
    last, rounds = 0, 0
    while (report := arrivals_since(conn, last)).days:
        assert len(report.days) <= 50
        told.update(day for day, _, _ in report.days)
        last, rounds = report.last_id, rounds + 1
    assert told == set(days)
    assert rounds == 9
