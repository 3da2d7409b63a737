"""A recorded measurement is shown once, with its history, and fails the check below a floor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs.quality import quality_when_recorded
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.quality import QualityResult, record_quality

FIRST = datetime(2026, 5, 1, tzinfo=UTC)


def measured(conn: Connection, at: datetime, *, f1: float) -> None:
    figure = QualityResult("people", "git", "f1", "abc1234", f1, f1 - 0.1, f1 + 0.1, floor=0.9)
    without_floor = QualityResult("people", "git", "recall", "abc1234", 0.1, 0.0, 0.2)
    record_quality(conn, at, [figure, without_floor])
    conn.commit()


def test_a_measurement_is_shown_once_and_checked_against_its_floors(
    database: Database, conn: Connection
) -> None:
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        job = build_definitions(database=database).resolve_job_def("quality")
        assert isinstance(quality_when_recorded(context), dg.SkipReason)

        measured(conn, FIRST, f1=0.95)
        assert isinstance(quality_when_recorded(context), dg.RunRequest)
        result = job.execute_in_process(instance=instance)
        [check] = result.get_asset_check_evaluations()
        assert check.passed
        [event] = result.get_asset_materialization_events()
        metadata = event.step_materialization_data.materialization.metadata
        assert metadata["dagster/row_count"].value == 2
        assert metadata["code"].value == "abc1234"
        assert "data:image/png;base64," in str(metadata["history"].value)
        listed = metadata["figures"]
        assert isinstance(listed, dg.TableMetadataValue)
        assert [record.data["holds"] for record in listed.records] == ["ok", ""]
        assert isinstance(quality_when_recorded(context), dg.SkipReason)

        measured(conn, FIRST + timedelta(days=1), f1=0.85)
        assert isinstance(quality_when_recorded(context), dg.RunRequest)
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        [check] = result.get_asset_check_evaluations()
        assert (check.passed, check.blocking) == (False, True)
        assert check.metadata["below_1"].value == "people, git: f1 0.850 < 0.9"


def test_the_check_passes_where_nothing_was_measured(database: Database) -> None:
    with dg.instance_for_test() as instance:
        job = build_definitions(database=database).resolve_job_def("quality")
        result = job.execute_in_process(instance=instance)
        [check] = result.get_asset_check_evaluations()
        assert check.passed
