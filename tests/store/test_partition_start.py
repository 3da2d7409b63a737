"""Where daily partitions begin: kept once, moved back by older data, read without starting anything."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries, partition_date_of
from lightfast_pipelines.store.partition_start import first_day_of, read_start

NOW = datetime.now(UTC)
YEAR = NOW.year


def settings(**variables: str | Path | None) -> Settings:
    return Settings.model_validate(
        {"LIGHTFAST_PARTITIONS_START": None, **{k: v for k, v in variables.items() if v}}
    )


def delivery(when: datetime, number: int = 1) -> Delivery:
    return Delivery(
        provider="github",
        delivery_id=f"d-{number}",
        event_type="push",
        body=b"{}",
        headers={},
        received_at=when,
        partition_date=partition_date_of(when, start=date(2008, 1, 1), now=NOW),
        ingestion_source="manual",
        verified_by="manual",
        org_id="default",
    )


def test_a_new_memory_begins_with_the_year_before_and_keeps_that_day(conn: Connection) -> None:
    insert_deliveries(conn, [delivery(NOW)])
    assert read_start(conn) == date(YEAR - 1, 1, 1)


def test_older_data_move_the_start_back_by_whole_years_and_never_forward(conn: Connection) -> None:
    insert_deliveries(conn, [delivery(datetime(2017, 11, 3, tzinfo=UTC))])
    assert read_start(conn) == date(2017, 1, 1)
    insert_deliveries(conn, [delivery(NOW - timedelta(days=2), 2)])
    assert read_start(conn) == date(2017, 1, 1)
    # In any order: what is older still moves it once more.
    insert_deliveries(conn, [delivery(NOW, 3), delivery(datetime(2016, 1, 1, tzinfo=UTC), 4)])
    assert read_start(conn) == date(2016, 1, 1)


def test_deliveries_that_are_not_stored_in_the_end_do_not_move_the_start(conn: Connection) -> None:
    insert_deliveries(conn, [delivery(datetime(2012, 5, 1, tzinfo=UTC))])
    conn.rollback()
    assert read_start(conn) == date(YEAR - 1, 1, 1)


def test_a_setting_overrides_the_kept_first_day(database: Database) -> None:
    given = settings(
        LIGHTFAST_DATABASE_URL=database.url("migrator"), LIGHTFAST_PARTITIONS_START="2020-02-03"
    )
    assert first_day_of(given) == date(2020, 2, 3) == given.earliest_day


def test_the_kept_day_is_found_in_the_database_of_the_settings(
    database: Database, conn: Connection
) -> None:
    insert_deliveries(conn, [delivery(datetime(2013, 5, 1, tzinfo=UTC))])
    conn.commit()
    assert first_day_of(settings(LIGHTFAST_DATABASE_URL=database.url("migrator"))) == date(
        2013, 1, 1
    )


def test_an_import_succeeds_while_the_database_is_down(tmp_path: Path) -> None:
    away = settings(LIGHTFAST_DATABASE_URL=f"postgresql://nobody@/none?host={tmp_path}")
    assert first_day_of(away) == date(YEAR - 1, 1, 1)


def test_loading_the_definitions_starts_no_database(tmp_path: Path) -> None:
    home = tmp_path / "home"
    subprocess.run(
        [sys.executable, "-c", "import lightfast_pipelines.definitions"],
        env={"LIGHTFAST_HOME": str(home), "PATH": ""},
        check=True,
        timeout=300,
    )
    assert not home.exists()


def test_the_row_of_the_start_cannot_be_deleted(conn: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("DELETE FROM lightfast.partition_start")
