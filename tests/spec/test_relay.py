"""From the door to the memory (ingestion.md, A8): each delivery is stored once and told once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lightfast_pipelines.capture import batch
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import capture_all, one, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

Json = dict[str, Any]
EVENTS: dict[str, tuple[str, str, Json]] = {
    "github": ("1", "pull_request", github.pull_request()),
    "vercel": ("prj_1", "deployment.succeeded", vercel.deployment("succeeded")),
    "linear": ("team-1", "Issue", linear.issue()),
    "sentry": ("42", "issue", sentry.issue()),
}


@pytest.fixture(params=EVENTS)
def event(request: pytest.FixtureRequest) -> tuple[str, str, str, Json]:
    """Provider, resource, event, payload."""
    return (request.param, *EVENTS[request.param])


def test_the_same_delivery_twice_is_stored_once_and_told_once(
    conn: Connection, event: tuple[str, str, str, Json]
) -> None:
    provider, resource, name, payload = event
    linked(conn, "shop", (provider, resource))
    for _ in range(2):
        receive(conn, [provider_delivery(provider, name, payload)] * 2)
        capture_all(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.raw_payloads") == 1
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 1
    assert one(conn, "SELECT count(*) FROM lightfast.observation_sources") == 1
    assert rows(conn, "SELECT status FROM lightfast.outcomes") == [("delivered",)]


def test_a_resource_linked_after_the_event_gets_it(
    conn: Connection, event: tuple[str, str, str, Json]
) -> None:
    provider, resource, name, payload = event
    receive(conn, [provider_delivery(provider, name, payload)])
    assert capture_all(conn).outcomes == {"parked": 1}
    linked(conn, "shop", (provider, resource))
    assert capture_all(conn).outcomes == {"delivered": 1}
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 1


@pytest.mark.parametrize(
    "step", ["collect_statements", "fold_facts", "write_facts", "write_outcomes", "requeue_waiting"]
)
def test_what_fails_between_storing_and_telling_is_told_once_afterwards(
    conn: Connection, event: tuple[str, str, str, Json], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost in the midst of a batch: nothing of it is there, and nothing is lost."""
    provider, resource, name, payload = event
    linked(conn, "shop", (provider, resource))
    receive(conn, [provider_delivery(provider, name, payload)])
    done = getattr(batch, step)

    def breaks_afterwards(*arguments: Any) -> Any:
        done(*arguments)
        raise psycopg.OperationalError("the server closed the connection")

    monkeypatch.setattr(batch, step, breaks_afterwards)
    with pytest.raises(psycopg.OperationalError):
        capture_all(conn)
    conn.rollback()
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 1
    monkeypatch.undo()
    assert capture_all(conn).outcomes == {"delivered": 1}
    before = digest_lines(conn)
    assert capture_all(conn).deliveries == 0
    assert digest_lines(conn) == before
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 1
