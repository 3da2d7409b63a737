"""Lost deliveries and deletions are looked for where there is a credential, and shown in Dagster's UI."""

from __future__ import annotations

import dagster as dg
import pytest

from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs.recovery import recover_missed_deliveries, sweep_for_deletions
from lightfast_pipelines.providers.github.api import recovery as github
from lightfast_pipelines.recovery import cycle as recovery_cycle
from lightfast_pipelines.recovery.cycle import RecoveryCycle
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.sources import Source
from tests.backfill.conftest import PlainApis, source
from tests.capture.deliveries import capture_all, delivery, receive
from tests.providers.github import payloads
from tests.recovery.existing import Existing
from tests.recovery.hooks import HookProviderApi, Hooks
from tests.recovery.test_lost_deliveries import ago
from tests.servers.serving import serve

__all__ = ["source"]


def test_nothing_is_started_where_there_is_no_credential(
    database: Database, conn: Connection, source: Source
) -> None:
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        for schedule in (recover_missed_deliveries, sweep_for_deletions):
            assert isinstance(schedule(context), dg.RunRequest)
        conn.execute("DELETE FROM lightfast.tokens")
        conn.commit()
        for schedule in (recover_missed_deliveries, sweep_for_deletions):
            assert isinstance(schedule(context), dg.SkipReason)


def test_an_outage_is_a_row_of_the_runs_metadata(
    database: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Hooks(log="/repositories/1/hooks/7/deliveries")
    hooks.hooks = [{"id": 7, "config": {"url": "https://memory.acme.test/webhooks/github"}}]
    hooks.deliver(None, "issues", payloads.issue("opened", 1), ago(hours=1))
    monkeypatch.setattr(
        recovery_cycle,
        "RecoveryCycle",
        lambda **given: RecoveryCycle(**given, patience_seconds=0.0),
    )
    with serve(hooks) as served, dg.instance_for_test() as instance:
        apis = PlainApis(database, served.url, HookProviderApi())
        definitions = build_definitions(database=database, apis=apis)
        result = definitions.resolve_job_def("recovery").execute_in_process(instance=instance)
    assert result.success
    [event] = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert (metadata["missed"].value, metadata["recovered"].value) == (1, 1)
    table = metadata["outages"]
    assert isinstance(table, dg.TableMetadataValue)
    [row] = table.records
    assert row.data["log"] == "hook acme/shop 7"
    assert github.RECOVERY.provider == row.data["provider"]


def test_what_is_gone_is_counted_in_the_runs_metadata(
    database: Database, conn: Connection, source: Source
) -> None:
    receive(conn, [delivery("issues", payloads.issue("opened", n)) for n in (1, 2)])
    capture_all(conn)
    with serve(Existing({1})) as served, dg.instance_for_test() as instance:
        apis = PlainApis(database, served.url, HookProviderApi())
        definitions = build_definitions(database=database, apis=apis)
        result = definitions.resolve_job_def("deletions").execute_in_process(instance=instance)
    assert result.success
    [event] = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert (metadata["gone"].value, metadata["errors"].value) == (1, 0)
    assert metadata["share"].value == 0.05
