"""The schedule of documents asks for a run only while a repository waits that can be read."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from lightfast_pipelines.jobs.documents import documents_when_due
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.providers.github import payloads as github


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def test_a_push_is_looked_at_once_the_repository_has_a_credential(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    def tick() -> object:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        return documents_when_due(context)

    workspace_with(conn, "shop", 1)
    assert isinstance(tick(), dg.SkipReason)
    receive(conn, [delivery("push", github.push())])
    capture_all(conn)
    assert isinstance(tick(), dg.SkipReason)
    conn.execute(
        "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
        "SELECT id, 'token', 'none' FROM lightfast.installations"
    )
    conn.commit()
    asked = tick()
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags["lightfast/repositories"] == "1"
    conn.execute("UPDATE lightfast.document_queue SET not_before = now() + interval '1 minute'")
    conn.commit()
    assert isinstance(tick(), dg.SkipReason)
