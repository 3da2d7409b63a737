"""Partitions of bodies for the months ahead."""

from __future__ import annotations

from datetime import date

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.upkeep import create_month_partitions
from tests.arriving import arrive


def test_months_ahead_get_partitions_once(conn: Connection) -> None:
    assert create_month_partitions(conn, date(2024, 11, 30)) == 4
    assert create_month_partitions(conn, date(2024, 11, 30)) == 0
    assert create_month_partitions(conn, date(2024, 12, 1)) == 1


def test_a_month_whose_bodies_already_lie_elsewhere_is_left_there(conn: Connection) -> None:
    arrive(conn, [date(2024, 5, 1)])
    assert create_month_partitions(conn, date(2024, 5, 2)) == 3
    conn.commit()
    rows = conn.execute("SELECT count(*) FROM lightfast.raw_bodies").fetchone()
    assert rows == (1,)
