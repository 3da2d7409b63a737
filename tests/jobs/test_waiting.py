"""The list is written when it or its checks changed and once a day, and the checks come with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lightfast_pipelines.assets import waiting_for_you
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs import waiting
from lightfast_pipelines.jobs.waiting import waiting_when_changed
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive
from tests.inbox.test_waiting import park


def test_the_schedule_asks_for_the_list_when_it_changed_and_once_a_day(
    database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        job = build_definitions(database=database).resolve_job_def("waiting")
        assert isinstance(waiting_when_changed(context), dg.RunRequest)
        assert job.execute_in_process(instance=instance).success
        assert isinstance(waiting_when_changed(context), dg.SkipReason)
        park(conn)
        assert isinstance(waiting_when_changed(context), dg.RunRequest)
        result = job.execute_in_process(instance=instance)
        [event] = result.get_asset_materialization_events()
        metadata = event.step_materialization_data.materialization.metadata
        assert (metadata["parked"].value, metadata["dead_letters"].value) == (3, 1)
        listed = metadata["unlinked"]
        assert isinstance(listed, dg.TableMetadataValue)
        unlinked = listed.records[0].data
        assert next(iter(unlinked)) == "command"
        assert str(unlinked["command"]).startswith("lightfast integration add --workspace ")
        checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
        # Their deliveries are of 2024.
        assert checks == {
            "parked_are_looked_at": False,
            "dead_letters_are_looked_at": False,
            "stuck_are_looked_at": True,
        }
        assert isinstance(waiting_when_changed(context), dg.SkipReason)
        monkeypatch.setattr(waiting, "AT_LEAST_EVERY", -waiting.AT_LEAST_EVERY)
        assert isinstance(waiting_when_changed(context), dg.RunRequest)


def test_the_schedule_asks_for_the_list_when_time_alone_makes_a_check_fail(
    database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    received_at = datetime.now(UTC) - timedelta(hours=1)
    receive(conn, [delivery("issues", b"[not json", received_at=received_at)])
    capture_all(conn)
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        job = build_definitions(database=database).resolve_job_def("waiting")
        assert job.execute_in_process(instance=instance).success
        assert isinstance(waiting_when_changed(context), dg.SkipReason)
        listed = instance.get_latest_materialization_event(waiting_for_you.ASSET)
        assert listed is not None
        # The letter's age when it was listed: now it is a little older.
        patience = datetime.fromtimestamp(listed.timestamp, UTC) - received_at
        monkeypatch.setattr(waiting_for_you, "DEAD_PATIENCE", patience)
        assert isinstance(waiting_when_changed(context), dg.RunRequest)
