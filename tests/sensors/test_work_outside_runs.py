"""What was done outside of runs is shown in Dagster's catalog, by day, as the tables hold it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.assets.capture import TABLES
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.processing import process
from lightfast_pipelines.resources import catalog
from lightfast_pipelines.sensors.work_outside_runs import work_outside_runs
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.unreported import forget, read_unreported, record_days
from tests.arriving import arrive, count, link

FIRST = date(2019, 3, 1)
DAILY_ASSETS = (*TABLES, "embeddings", "clusters")


@pytest.fixture(scope="module")
def shared_instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def instance(shared_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """The module's instance with an empty catalog."""
    shared_instance.wipe_assets(list(shared_instance.all_asset_keys()))
    return shared_instance


class Silent:
    def waits(self, reason: str) -> None: ...

    def stage(self, title: str, total: int | None = None) -> None: ...

    def advance(self, count: int) -> None: ...


def work_off(database: Database) -> None:
    """What `lightfast process` does."""
    process(database, Settings(), WordLlamaEmbedder(), PgVectorIndex, Silent())


def tick(instance: dg.DagsterInstance, database: Database, cursor: str | None = None) -> str:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"database": database}
    )
    result = work_outside_runs(context)
    assert isinstance(result, dg.SensorResult)
    assert not result.run_requests
    return result.cursor or ""


def latest(instance: dg.DagsterInstance, asset: str, day: date | None = None) -> dict[str, Any]:
    """Metadata of the latest materialization of an asset (on a day)."""
    record = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            dg.AssetKey(asset), asset_partitions=[day.isoformat()] if day else None
        ),
        limit=1,
    ).records[0]
    assert record.asset_materialization
    return {key: value.value for key, value in record.asset_materialization.metadata.items()}


def days_of(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return instance.get_materialized_partitions(dg.AssetKey(asset))


def test_after_lightfast_process_the_catalog_agrees_with_the_tables(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    days = [FIRST, FIRST + timedelta(days=40), FIRST + timedelta(days=900)]
    arrive(conn, days, each=2)
    work_off(database)
    tick(instance, database)
    wanted = {day.isoformat() for day in days}
    for asset in ("raw_payloads", *DAILY_ASSETS):
        assert days_of(instance, asset) == wanted, asset
    for day in days:
        shown = latest(instance, "observations", day)
        assert shown["dagster/partition_row_count"] == shown["deliveries"] == 2
        assert len(shown["preview"].records) == 2
        assert latest(instance, "embeddings", day)["dagster/partition_row_count"] == 6
        assert latest(instance, "clusters", day)["observations"] == 2
    assert latest(instance, "actors")["dagster/row_count"] == count(conn, "actors")
    assert latest(instance, "cluster_consolidation")["dagster/row_count"] == count(conn, "clusters")
    assert latest(instance, "actor_profiles")["dagster/row_count"] == count(conn, "actor_profiles")
    assert latest(instance, "cluster_summaries")
    assert count(conn, "unreported_work") == 0


def test_work_that_was_shown_is_not_shown_again(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST])
    work_off(database)
    cursor = tick(instance, database)
    before = instance.event_log_storage.get_maximum_record_id()
    tick(instance, database, cursor)
    assert instance.event_log_storage.get_maximum_record_id() == before


def test_work_done_while_it_is_being_shown_is_shown_once_more(conn: Connection) -> None:
    record_days(conn, "capture", [FIRST])
    conn.commit()
    works = read_unreported(conn, days=10)
    record_days(conn, "capture", [FIRST])
    conn.commit()
    forget(conn, works)
    assert [work.day for work in read_unreported(conn, days=10)] == [FIRST]


def test_many_days_are_written_in_few_batches_with_a_timestamp_for_each_event(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one, thousands took minutes: what is counted are the writes, not the time."""
    batches: list[int] = []
    write = instance.event_log_storage.store_event_batch

    def counted(events: list[dg.EventLogEntry]) -> None:
        batches.append(len(events))
        write(events)

    monkeypatch.setattr(instance.event_log_storage, "store_event_batch", counted)
    monkeypatch.setattr(catalog, "BATCH", 40)
    # Of its own: an event of before its asset was wiped would not count.
    asset = dg.AssetKey("many_days")
    days = [FIRST + timedelta(days=number) for number in range(100)]
    catalog.report_materializations(
        instance,
        [dg.AssetMaterialization(asset, partition=day.isoformat()) for day in days],
        now=datetime.now(UTC),
    )
    assert batches == [40, 40, 20]
    assert len(instance.get_materialized_partitions(asset)) == 100
    records = instance.fetch_materializations(asset, limit=100).records
    assert len({round(record.timestamp * 1000) for record in records}) == 100


def test_process_loads_no_dagster() -> None:
    code = "import sys, lightfast_pipelines.processing as p; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
