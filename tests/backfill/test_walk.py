"""A walk stores every page once, covers what it fetched, and reports every fault."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from lightfast_pipelines.backfill.request import BackfillListener, BackfillProgress, BackfillResult
from lightfast_pipelines.store import backfills, coverage
from lightfast_pipelines.store.coverage import TimeSpan, list_coverage
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.sources import Source
from tests.backfill.conftest import UNTIL, PlainApis
from tests.backfill.plain import FIRST, PlainApi, PlainItems, PlainProviderApi
from tests.depth import examples
from tests.servers.serving import Fault, serve

Read = Callable[..., BackfillResult]


def stored(conn: Connection) -> list[str]:
    ids = conn.execute("SELECT delivery_id FROM lightfast.raw_payloads ORDER BY 1").fetchall()
    conn.rollback()
    return [row[0] for row in ids]


def status_of(conn: Connection) -> tuple[str, str | None]:
    row = list_coverage(conn)[0]
    conn.rollback()
    return row.status, row.error


def test_every_record_is_stored_on_its_own_day_and_the_window_is_covered(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    with serve(PlainApi(250)) as server:
        result = read(source, PlainApis(database, server.url))
    assert (result.status, result.records, result.stored) == ("completed", 250, 250)
    days = conn.execute(
        "SELECT min(partition_date), max(partition_date), count(*) FROM lightfast.raw_payloads"
    ).fetchone()
    assert days == (FIRST.date(), (FIRST + timedelta(hours=249)).date(), 250)
    covered = list_coverage(conn)[0]
    assert [(c.since, c.until) for c in covered.covered] == [(FIRST, UNTIL)]
    assert (covered.status, covered.expected, covered.stored) == ("completed", 250, 250)


def test_a_second_backfill_of_the_same_time_asks_nothing(
    database: Database, source: Source, read: Read
) -> None:
    with serve(PlainApi(250)) as server:
        apis = PlainApis(database, server.url)
        read(source, apis)
        before = len(server.asked)
        again = read(source, apis)
        assert len(server.asked) == before
    assert (again.status, again.requests, again.records) == ("completed", 0, 0)


def test_an_unchanged_newest_page_costs_nothing_and_a_changed_one_is_read(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    api = PlainApi(250)
    with serve(api) as server:
        apis = PlainApis(database, server.url)
        first, later = FIRST + timedelta(days=30), FIRST + timedelta(days=30, hours=5)
        read(source, apis, until=first)
        used = api.used
        unchanged = read(source, apis, until=later)
        assert (api.used, server.asked[-1].status, unchanged.requests) == (used, 304, 1)
        api.count = 252  # FIRST and 250 hours: before `later`, and shown late
        again = later + timedelta(hours=5)
        conn.execute("UPDATE lightfast.backfill_coverage SET covered = '{}', etag = 'old'")
        conn.commit()
        read(source, apis, until=again)
    assert len(stored(conn)) == 252
    assert [(c.since, c.until) for c in list_coverage(conn)[0].covered] == [(FIRST, again)]


def test_a_page_with_records_after_the_window_is_read_again_by_the_next_walk(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    """Its ETag is unchanged, but what the first window left out has not been read yet."""
    with serve(PlainApi(250)) as server:
        apis = PlainApis(database, server.url)
        read(source, apis, until=FIRST + timedelta(hours=200))
        read(source, apis, until=FIRST + timedelta(hours=204))
        read(source, apis, until=FIRST + timedelta(hours=260))
    assert len(stored(conn)) == 250


def test_only_what_is_not_covered_is_fetched(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    middle, late = FIRST + timedelta(hours=100), FIRST + timedelta(hours=150)
    with serve(PlainApi(250)) as server:
        apis = PlainApis(database, server.url)
        read(source, apis, since=middle, until=late)
        assert len(stored(conn)) == 50
        read(source, apis)
    assert len(stored(conn)) == 250
    assert len(list_coverage(conn)[0].covered) == 1


@examples(5, suppress=[HealthCheck.function_scoped_fixture])
@given(deaths=st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_a_walk_that_dies_at_any_page_resumes_there_and_loses_nothing(
    database: Database, conn: Connection, source: Source, read: Read, deaths: list[int]
) -> None:
    for table in ("raw_queue", "backfill_coverage"):
        conn.execute(f"DELETE FROM lightfast.{table}")
    conn.commit()
    asked: list[str] = []
    with serve(PlainApi(570)) as server:
        apis = PlainApis(database, server.url)
        for pages in deaths:
            died = _dies_after(pages)
            with contextlib.suppress(_DiedError):
                read(source, apis, listener=BackfillListener(on_progress=died))
        final = read(source, apis)
        asked = [request.query for request in server.asked if "size=100" in request.query]
    assert final.status == "completed"
    assert len(stored(conn)) == 570
    # A page is asked for again only where its walk died before it was stored.
    assert len(asked) <= 6 + len(deaths)


class _DiedError(Exception):
    """Ends a run in the middle."""


def _dies_after(pages: int) -> Callable[[BackfillProgress], None]:
    def on_progress(progress: BackfillProgress) -> None:
        if progress.pages >= pages:
            raise _DiedError

    return on_progress


def test_a_page_that_is_too_heavy_is_asked_for_in_halves(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    with serve(PlainApi(250, heaviest=30)) as server:
        result = read(source, PlainApis(database, server.url))
        sizes = [
            request.query.rpartition("size=")[2]
            for request in server.asked
            if request.status == 200
        ]
    assert (result.status, len(stored(conn))) == ("completed", 250)
    assert sizes == ["1", *["25"] * 10]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("size=100", 9, 403, body={"message": "no scope"}), "not allowed: no scope"),
        (Fault("size=100", 9, 404, body={"message": "Not Found"}), "not there: Not Found"),
        (Fault("size=100", 9, 422, body={"message": "page too deep"}), "refused: page too deep"),
        (Fault("size=100", 9, 451), "answered 451 (asked 5 times)"),
        (Fault("size=100", 9, 500), "answered 500 (asked 5 times)"),
        (
            Fault("size=100", 9, 200, truncated=True),
            "bytes that are not JSON (application/json) (asked 5 times)",
        ),
        (
            Fault("size=100", 9, 200, body={"message": "another shape"}),
            "github item: the answer is not of a known shape (KeyError: 'items'); the walk stopped at "
            "this page and counts as not fetched",
        ),
    ],
)
def test_a_fault_ends_the_unit_with_the_providers_message_and_covers_nothing(
    database: Database,
    conn: Connection,
    source: Source,
    read: Read,
    fault: Fault,
    message: str,
) -> None:
    with serve(PlainApi(250)) as server:
        server.faults.append(fault)
        result = read(source, PlainApis(database, server.url))
    assert result.status == "failed"
    assert message in (result.units[0].error or "")
    assert message in (status_of(conn)[1] or "")
    assert list_coverage(conn)[0].covered == []
    row = conn.execute("SELECT sync_status, sync_error FROM lightfast.integrations").fetchone()
    assert row is not None
    assert row[0] == "failed"
    assert message in row[1]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("size=100", 3, 500),
        Fault("size=100", 3, 200, truncated=True),
        Fault("size=100", 2, 429, {"retry-after": "0.1"}, {"message": "secondary rate limit"}),
    ],
)
def test_a_transient_fault_is_retried_and_the_walk_is_whole(
    database: Database, conn: Connection, source: Source, read: Read, fault: Fault
) -> None:
    with serve(PlainApi(250)) as server:
        server.faults.append(fault)
        result = read(source, PlainApis(database, server.url))
    assert (result.status, len(stored(conn))) == ("completed", 250)


def test_a_time_out_is_reported_as_a_time_out(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    with serve(PlainApi(250)) as server:
        server.faults.append(Fault("size=100", 9, hangs=True))
        result = read(source, PlainApis(database, server.url, timeout=0.2))
    assert "/items did not answer in time (asked 5 times)" in (result.units[0].error or "")


def test_a_refused_credential_is_final_and_reported(
    database: Database, source: Source, read: Read
) -> None:
    with serve(PlainApi(250)) as server:
        apis = PlainApis(database, server.url, token="another")
        result = read(source, apis)
        assert len(server.asked) == 1
    assert result.status == "failed"
    assert apis.credentials.refusals == ["the credential is refused: Bad credentials"]


def test_a_moved_resource_is_followed_at_the_same_host_only(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    with serve(PlainApi(250)) as server:
        server.faults.append(
            Fault("GET /items", 1, 301, {"location": f"{server.url}/repositories/1/items"})
        )
        result = read(source, PlainApis(database, server.url))
        assert (result.status, len(stored(conn))) == ("completed", 250)
        assert server.count("GET /items") == 1
        elsewhere = {"location": "http://127.0.0.1:9/items"}
        server.faults.append(Fault("items", 9, 301, elsewhere))
        refused = read(source, PlainApis(database, server.url), since=FIRST - timedelta(days=9))
    assert "moved to another host, 127.0.0.1:9: not followed" in refused.failures[0]


def test_a_page_that_repeats_its_cursor_stops_the_walk_which_is_not_covered(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    with serve(PlainApi(250, turning=True)) as server:
        result = read(source, PlainApis(database, server.url))
        assert len(server.asked) == 2
    assert "repeats its cursor after 1 pages; the walk stopped there" in (
        result.units[0].error or ""
    )
    assert list_coverage(conn)[0].covered == []


def test_an_unreadable_item_is_reported_and_the_rest_of_the_page_is_stored(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    with serve(PlainApi(120)) as server:
        provider_api = PlainProviderApi([PlainItems(broken=[7, 80])])
        result = read(source, PlainApis(database, server.url, provider_api))
    assert (result.status, len(stored(conn))) == ("completed", 118)
    assert sorted(trouble.item for trouble in result.units[0].troubles) == ["7", "80"]


def test_the_future_is_not_covered_even_if_our_clock_is_ahead(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    now = datetime.now(UTC)
    with serve(PlainApi(250)) as server:
        read(source, PlainApis(database, server.url), until=now + timedelta(days=30))
    until = list_coverage(conn)[0].covered[-1].until
    assert now - timedelta(minutes=3) < until <= datetime.now(UTC)


def test_cancelling_stops_within_a_page_and_keeps_what_was_read(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    def cancel(progress: BackfillProgress) -> None:
        with database.connect() as other:
            backfills.ask_to_cancel(
                other, backfills.list_backfills(other)[0].id, "operator:another"
            )
            other.commit()

    with serve(PlainApi(60_000)) as server:
        apis = PlainApis(database, server.url)
        result = read(
            source,
            apis,
            until=datetime(2036, 1, 1, tzinfo=UTC),
            listener=BackfillListener(on_progress=cancel),
        )
    assert result.status == "cancelled"
    assert 0 < len(stored(conn)) < 60_000
    run = backfills.list_backfills(conn)[0]
    assert (run.status, run.cancelled_by) == ("cancelled", "operator:another")
    assert status_of(conn)[0] == "cancelled"


def test_a_backfill_whose_process_died_is_marked_as_failed_and_a_live_one_is_not(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    dead = backfills.start_backfill(
        conn,
        [source],
        provider=None,
        entity_types=[],
        since=FIRST,
        until=UNTIL,
        requested_by="operator:test",
        dagster_run_id=None,
    )
    coverage.begin_walk(
        conn, source.integration_id, "item", TimeSpan(FIRST, UNTIL), {"offset": 0}, None
    )
    conn.commit()
    seen: list[list[int]] = []

    def look(progress: BackfillProgress) -> None:
        with database.connect() as other:
            seen.append(backfills.end_dead(other, datetime.now(UTC)))

    with serve(PlainApi(250)) as server:
        result = read(
            source, PlainApis(database, server.url), listener=BackfillListener(on_progress=look)
        )
    # The next one ended it before it began, and was not taken for dead itself.
    assert (result.status, [backfill_id for ids in seen for backfill_id in ids]) == (
        "completed",
        [],
    )
    first = backfills.list_backfills(conn, ids=[dead])[0]
    assert first.status == "failed"
    assert "its process ended without a word" in (first.error or "")
    assert status_of(conn)[0] == "completed"


def test_a_page_and_its_cursor_are_one_transaction(
    database: Database, conn: Connection, source: Source, read: Read
) -> None:
    """The rows of the inbox are never ahead of the cursor, nor behind it."""
    seen: list[tuple[int, int]] = []

    def look(progress: BackfillProgress) -> None:
        with database.connect() as other:
            row = other.execute(
                "SELECT (SELECT count(*) FROM lightfast.raw_payloads), "
                "(SELECT sum(records) FROM lightfast.backfill_coverage)"
            ).fetchone()
            assert row is not None
            seen.append((row[0], int(row[1])))

    with serve(PlainApi(570)) as server:
        read(source, PlainApis(database, server.url), listener=BackfillListener(on_progress=look))
    assert seen
    assert all(rows == counted for rows, counted in seen)
