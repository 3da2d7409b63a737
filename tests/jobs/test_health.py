"""The pipeline's figures are kept by day and plotted, and a breach of a limit is reported once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from psycopg import sql

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs.health import health_when_due
from lightfast_pipelines.store.breaches import open_breaches
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, link

# Its deliveries are older than those whose lag counts.
DAY = date(2024, 5, 1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def tick(instance: dg.DagsterInstance, database: Database) -> bool:
    """Whether the schedule asks for a run."""
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    return isinstance(health_when_due(context), dg.RunRequest)


def run(instance: dg.DagsterInstance, database: Database) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(database=database)
    result = definitions.resolve_job_def("health").execute_in_process(instance=instance)
    assert result.success
    return result


def passed(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def test_the_days_figures_are_kept_once_and_plotted_from_the_second_day(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [DAY], each=3)
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    assert tick(instance, database)
    result = run(instance, database)
    assert all(passed(result).values())
    assert not tick(instance, database)
    figures: dict[str, float] = dict(
        conn.execute(
            "SELECT name || ' ' || subject, value FROM lightfast.health_figures"
        ).fetchall()
    )
    assert figures["database_size "] > 1_000_000
    assert figures["table_size raw_payloads"] > 0
    assert figures["vectors "] == 0
    # As on the next day: the same figures are kept once more.
    conn.execute(
        "UPDATE lightfast.health_figures SET day = day - 1, measured_at = measured_at - '1d'::interval"
    )
    conn.commit()
    assert tick(instance, database)
    (event,) = run(instance, database).get_asset_materialization_events()
    days = conn.execute("SELECT count(DISTINCT day) FROM lightfast.health_figures").fetchone()
    assert days == (2,)
    metadata = event.materialization.metadata
    assert {"tables", "database", "vectors"} <= metadata.keys()
    assert isinstance(metadata["tables"], dg.MarkdownMetadataValue)


def test_a_breach_is_reported_when_it_begins_and_when_it_ends_and_not_in_between(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run(instance, database)
    link(conn)
    arrive(conn, [DAY])
    conn.execute("UPDATE lightfast.raw_queue SET enqueued_at = now() - interval '1 hour'")
    conn.commit()
    assert tick(instance, database)
    (breach,) = open_breaches(conn)
    assert (breach.kind, breach.limit) == ("oldest_pending capture", 900)
    assert 3_500 < breach.value < 4_000
    conn.rollback()
    assert not passed(run(instance, database))["nothing_waits_for_long"]
    assert not tick(instance, database)
    assert caplog.text.count("the oldest delivery waits to be captured") == 1
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    assert tick(instance, database)
    assert open_breaches(conn) == []
    assert "oldest_pending capture is within its limit again" in caplog.text
    (row,) = conn.execute("SELECT closed_at IS NOT NULL FROM lightfast.breaches").fetchall()
    assert row == (True,)


def captured_after(conn: Connection, *, first: str, last: str) -> None:
    """A delivery of today that was first captured, and last, so long after it arrived."""
    link(conn)
    arrive(conn, [datetime.now(UTC).date()])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    for table, column, after in (
        ("observation_facts", "captured_at", first),
        ("outcomes", "processed_at", last),
    ):
        conn.execute(
            sql.SQL(
                "UPDATE lightfast.{} SET {} = (SELECT received_at FROM lightfast.raw_payloads) + {}::interval"
            ).format(sql.Identifier(table), sql.Identifier(column), after)
        )
    conn.commit()


def test_a_delivery_that_was_processed_late_shows_in_its_providers_lag(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    captured_after(conn, first="5min", last="5min")
    result = run(instance, database)
    assert passed(result)["webhooks_are_queryable_soon"] is False


def test_a_delivery_that_was_captured_again_is_not_late(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    """As after each answer of a language model: only the outcome is as new as that."""
    captured_after(conn, first="5s", last="5min")
    result = run(instance, database)
    assert passed(result)["webhooks_are_queryable_soon"] is True
