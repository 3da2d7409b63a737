"""Monthly partitions of bodies: created ahead of time, and for months in the default partition."""

from __future__ import annotations

from datetime import date

from lightfast_pipelines.store.body_partitions import create_month_partitions, move_out_of_default
from lightfast_pipelines.store.database import Connection
from tests.arriving import arrive


def test_months_ahead_get_partitions_once(conn: Connection) -> None:
    assert create_month_partitions(conn, date(2024, 11, 30)) == 4
    assert create_month_partitions(conn, date(2024, 11, 30)) == 0
    assert create_month_partitions(conn, date(2024, 12, 1)) == 1


def test_a_new_partition_takes_its_bodies_out_of_the_default_partition(conn: Connection) -> None:
    arrive(conn, [date(2024, 5, 1)])
    assert create_month_partitions(conn, date(2024, 5, 2)) == 4
    conn.commit()
    assert _bodies_by_partition(conn) == {"raw_bodies_2024_05": 1}


def test_the_oldest_months_leave_the_default_partition_first_a_few_each_time(
    conn: Connection,
) -> None:
    arrive(conn, [date(2023, 1, 5), date(2023, 1, 6), date(2023, 3, 31), date(2024, 12, 1)])
    assert move_out_of_default(conn, at_most=2) == 2
    assert _bodies_by_partition(conn) == {
        "raw_bodies_2023_01": 2,
        "raw_bodies_2023_03": 1,
        "raw_bodies_default": 1,
    }
    assert move_out_of_default(conn, at_most=2) == 1
    assert move_out_of_default(conn, at_most=2) == 0


def _bodies_by_partition(conn: Connection) -> dict[str, int]:
    rows = conn.execute(
        "SELECT tableoid::regclass::text, count(*) FROM lightfast.raw_bodies GROUP BY 1"
    )
    return {str(name).removeprefix("lightfast."): int(count) for name, count in rows}
