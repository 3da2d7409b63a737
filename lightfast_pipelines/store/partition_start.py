"""The first daily partition, kept in the database and moved back before older data are stored."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg

from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import url_where_it_runs

# How long an import waits for a database that may be down.
_PATIENCE_SECONDS = 3


def read_start(conn: psycopg.Connection[Any]) -> date:
    """The first day that the database holds."""
    row = conn.execute("SELECT first_day FROM lightfast.partition_start").fetchone()
    assert row is not None, "the migration writes the row, and nobody may delete it"
    day: date = row[0]
    return day


def move_start_back(conn: psycopg.Connection[Any], day: date) -> None:
    """Moves the first day to 1 January of the year of `day`, if it is after `day`. The caller commits.

    It moves by whole years, because Dagster has to reload its definitions each time.
    """
    conn.execute(
        """
        UPDATE lightfast.partition_start SET first_day = date_trunc('year', %(day)s::date)::date
        WHERE first_day > %(day)s
        """,
        {"day": day},
    )


def first_day_of(settings: Settings) -> date:
    """The first daily partition: the setting, else that of a running database, else a new one's.

    Never starts a database.
    """
    if settings.partitions_start is not None:
        return settings.partitions_start
    return _kept(settings) or date(datetime.now(UTC).year - 1, 1, 1)


def _kept(settings: Settings) -> date | None:
    url = url_where_it_runs(settings)
    if url is None:
        return None
    try:
        with psycopg.connect(url, connect_timeout=_PATIENCE_SECONDS) as conn:
            return read_start(conn)
    # Down, or not migrated yet: whoever uses the database next reports it better than an import could.
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return None
