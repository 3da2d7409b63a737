"""The database resource: one a process, and a run's presence for as long as the run lives."""

import dagster as dg
import pytest

from lightfast_pipelines.resources import database as resource
from lightfast_pipelines.resources.database import RUN_KINDS, DatabaseResource, kind_of_run
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.locks import present


def test_a_run_is_present_while_its_steps_run_and_not_after(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "opened", lambda: database)
    seen: list[frozenset[str]] = []

    @dg.op
    def look(database: dg.ResourceParam[Database]) -> None:
        with database.connect() as conn:
            seen.append(present(conn, RUN_KINDS))

    @dg.job(resource_defs={"database": DatabaseResource()}, executor_def=dg.in_process_executor)
    def looking() -> None:
        look.alias("first")()
        look.alias("second")()

    assert looking.execute_in_process(tags={"lightfast/pending": "backlog"}).success
    assert seen == [{"backlog"}, {"backlog"}]
    with database.connect() as conn:
        assert not present(conn, RUN_KINDS)


def test_a_run_counts_as_by_hand_unless_the_sensor_asked_for_it() -> None:
    assert kind_of_run({"dagster/partition": "2024-05-01"}) == "by hand"
    assert (
        kind_of_run({"dagster/partition": "2024-05-01", "lightfast/pending": "recent"}) == "recent"
    )
    assert kind_of_run({}) is None
