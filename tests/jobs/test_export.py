"""The asset of Parquet files: off by default, and a run shows the days that it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.assets.observations_parquet import ASSET
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.export.folder import opened_folder
from lightfast_pipelines.jobs.export import export_when_due
from lightfast_pipelines.partitions import range_tags, today
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.export.reading_back import VIEWS, by_duckdb, by_sql
from tests.providers.github import payloads as github

DAYS = [date(2024, 5, 1), date(2024, 5, 2)]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder that the setting names."""
    monkeypatch.setenv("LIGHTFAST_EXPORT_DIR", str(tmp_path / "out"))
    settings.cache_clear()
    yield tmp_path / "out"
    monkeypatch.undo()
    settings.cache_clear()


def arrive(conn: Connection, number: int, day: date) -> None:
    payload = github.issue("opened", number, created_at=f"{day}T10:00:00Z")
    receive(conn, [delivery("issues", payload)])
    capture_all(conn)


@pytest.fixture
def remembered(conn: Connection) -> None:
    """An issue on each of two days."""
    workspace_with(conn, "shop", 1)
    for number, day in enumerate(DAYS, 1):
        arrive(conn, number, day)


def run(
    instance: dg.DagsterInstance, database: Database, tags: dict[str, str], *, fails: bool = False
) -> dict[str, Any]:
    """Day -> metadata of the materializations of a run."""
    job = build_definitions(database=database).resolve_job_def("export")
    result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert result.success is not fails
    return {
        str(event.partition): event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
    }


def tick(instance: dg.DagsterInstance, database: Database) -> Any:
    return export_when_due(
        dg.build_schedule_context(instance=instance, resources={"database": database})
    )


@pytest.mark.usefixtures("remembered")
def test_without_a_folder_nothing_is_asked_for_and_a_run_by_hand_ends_well(
    instance: dg.DagsterInstance, database: Database
) -> None:
    assert tick(instance, database) == dg.SkipReason("LIGHTFAST_EXPORT_DIR is not set")
    assert run(instance, database, {"dagster/partition": "2024-05-01"}) == {}


@pytest.mark.usefixtures("remembered")
def test_the_schedules_run_exports_all_days_and_shows_those_that_it_wrote(
    instance: dg.DagsterInstance, database: Database, conn: Connection, folder: Path
) -> None:
    request = tick(instance, database)
    assert request.tags["dagster/partition"] == str(today())
    shown = run(instance, database, dict(request.tags))
    assert shown.keys() == {"2024-05-01", "2024-05-02", str(today())}
    metadata = shown["2024-05-01"]
    assert metadata["dagster/partition_row_count"].value == 1
    assert metadata["files_written"].value == metadata["files"].value >= 2
    assert metadata["bytes"].value > 1_000
    listed = metadata["preview"]
    assert isinstance(listed, dg.TableMetadataValue)
    assert {record.data["workspace"] for record in listed.records} == {"default/shop"}
    assert by_duckdb(folder, VIEWS["changes"]) == by_sql(conn, VIEWS["changes"])

    arrive(conn, 3, DAYS[1])
    assert run(instance, database, dict(request.tags)).keys() == {"2024-05-02", str(today())}
    [(day, metadata)] = run(instance, database, dict(request.tags)).items()
    assert (day, metadata["files_written_of_run"].value) == (str(today()), 0)


@pytest.mark.usefixtures("remembered")
def test_a_run_by_hand_exports_its_days_and_shows_each_of_them(
    instance: dg.DagsterInstance, database: Database, folder: Path
) -> None:
    days = [DAYS[0] - timedelta(days=1), DAYS[0]]
    shown = run(instance, database, range_tags(days))
    assert {day: metadata["rows"].value > 0 for day, metadata in shown.items()} == {
        "2024-04-30": False,
        "2024-05-01": True,
    }
    changes = folder / "default" / "shop" / "changes"
    assert [path.name for path in changes.iterdir()] == ["day=2024-05-01"]


@pytest.mark.usefixtures("remembered")
def test_a_run_fails_with_the_reason_while_another_export_is_at_work(
    instance: dg.DagsterInstance, database: Database, folder: Path
) -> None:
    with opened_folder(folder):
        assert run(instance, database, {"dagster/partition": "2024-05-01"}, fails=True) == {}
    assert instance.get_latest_materialization_event(ASSET) is None
