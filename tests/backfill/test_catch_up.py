"""Without a log of deliveries, what changed since the last covered moment is read."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from lightfast_pipelines.backfill import run as backfills
from lightfast_pipelines.backfill.catch_up import catch_up, windows_to_catch_up
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.outages import note_check
from lightfast_pipelines.store.sources import Source
from tests.backfill.conftest import PlainApis
from tests.backfill.plain import FIRST, PlainApi, PlainProviderApi
from tests.servers.serving import serve

DAY = timedelta(days=1)
NOW = FIRST + 5 * DAY


def covered(
    conn: Connection,
    source: Source,
    until: datetime,
    kind: str = "item",
    *,
    is_nothing: bool = False,
) -> None:
    interval = TimeSpan(FIRST, until)
    coverage.begin_walk(conn, source.integration_id, kind, interval, {}, None)
    coverage.move_cursor(
        conn,
        source.integration_id,
        kind,
        cursor=None,
        page_size=1,
        items=0,
        records=0,
        walking=interval,
        covered=interval,
        is_nothing=is_nothing,
    )
    conn.commit()


def test_only_what_was_read_whole_before_is_caught_up(conn: Connection, source: Source) -> None:
    coverage.begin_walk(conn, source.integration_id, "other", TimeSpan(FIRST, NOW), {}, None)
    assert windows_to_catch_up(conn, NOW) == []
    covered(conn, source, FIRST + DAY)
    [window] = windows_to_catch_up(conn, NOW)
    assert (window.since, window.until, window.entity_types) == (FIRST + DAY, NOW, ["item"])


def test_what_was_read_within_the_hour_is_left_alone(conn: Connection, source: Source) -> None:
    covered(conn, source, NOW - timedelta(minutes=50))
    assert windows_to_catch_up(conn, NOW) == []


def test_time_in_which_the_provider_had_nothing_is_asked_for_again(
    conn: Connection, source: Source
) -> None:
    """Once an hour like everything else, as a feature comes back with its older items."""
    covered(conn, source, NOW - timedelta(minutes=50), is_nothing=True)
    assert windows_to_catch_up(conn, NOW) == []
    [window] = windows_to_catch_up(conn, NOW + timedelta(minutes=30))
    assert window.since == FIRST
    covered(conn, source, NOW)
    assert windows_to_catch_up(conn, NOW + timedelta(minutes=30)) == []
    [window] = windows_to_catch_up(conn, NOW + timedelta(hours=2))
    assert window.since == NOW


@pytest.mark.parametrize(("kind", "log"), [("github_app", "app"), ("token", "hook acme/shop 7")])
def test_a_link_with_a_log_of_deliveries_is_not_caught_up(
    conn: Connection, source: Source, kind: str, log: str
) -> None:
    conn.execute("UPDATE lightfast.tokens SET kind = %s", (kind,))
    covered(conn, source, FIRST + DAY)
    note_check(conn, source.installation_id, log, until=NOW, now=NOW, error=None)
    assert windows_to_catch_up(conn, NOW) == []
    note_check(conn, source.installation_id, log, until=None, now=NOW, error="403")
    assert len(windows_to_catch_up(conn, NOW)) == 1


def test_the_gap_is_read_and_nothing_else(
    database: Database, conn: Connection, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered(conn, source, FIRST + 3 * DAY)
    provider_api = PlainProviderApi()
    monkeypatch.setattr(backfills, "discover_apis", lambda: {"github": provider_api})
    with serve(PlainApi(count=100)) as served:
        [(window, result)] = catch_up(
            database,
            PlainApis(database, served.url, provider_api),
            now=NOW,
            first_day=date(2008, 1, 1),
            actor="schedule:test",
            failed=lambda _, error: pytest.fail(str(error)),
        )
    assert (result.status, result.stored) == ("completed", 100 - 72)
    assert window.since == FIRST + 3 * DAY
    assert windows_to_catch_up(conn, NOW + timedelta(minutes=30)) == []
