"""A backfill of a project's deployments makes the same rows as its webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lightfast_pipelines.providers.vercel.api import API
from lightfast_pipelines.store.database import Database
from tests.backfill.conftest import PlainApis
from tests.providers.backfilled import (
    by_backfill,
    by_webhook,
    current_states,
    observations,
    outcomes,
)
from tests.providers.vercel.api.test_walk import WINDOW
from tests.providers.vercel.payloads import AT, MINUTE, meta, sha
from tests.servers.serving import serve
from tests.servers.vercel import TOKEN, Deployment, World, application, webhooks


def test_a_backfill_makes_the_memory_that_the_webhooks_made(
    new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ["READY", "ERROR", "READY", "CANCELED", "READY"]
    world = World(
        [
            Deployment(
                f"dpl_{n}",
                AT + n * MINUTE,
                state,
                AT + n * MINUTE + 40_000,
                meta=meta(sha(n)),
                dated=state == "READY",
                canceled_by="usr_1",
            )
            for n, state in enumerate(states * 30)
        ]
    )
    read, told = new_database(), new_database()
    with serve(application(world)) as served:
        apis = PlainApis(read, served.url, API, token=TOKEN)
        result = by_backfill(read, monkeypatch, apis, "prj_1", WINDOW, {"team": {"id": "team_1"}})
    assert result.status == "completed"
    assert [(unit.error, unit.troubled, unit.stored) for unit in result.units] == [(None, 0, 300)]
    assert abs(result.expected.requests - result.requests) <= result.requests * 0.1
    by_webhook(
        told,
        "vercel",
        ["prj_1"],
        [(event, json.dumps(body).encode(), {}) for event, body in webhooks(world)],
    )
    with read.connect("pipeline") as one, told.connect("pipeline") as other:
        assert outcomes(one) == {("delivered", None)}
        # Who canceled a deployment is told by the webhook alone.
        ours = [
            row if "canceled" not in row[1] else (*row[:3], "usr_1", row[4])
            for row in observations(one)
        ]
        assert ours == observations(other)
        assert current_states(one) == current_states(other)


def test_an_unknown_token_ends_the_backfill_with_the_reason(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(application(World())) as served:
        apis = PlainApis(database, served.url, API, token="another")
        result = by_backfill(database, monkeypatch, apis, "prj_1", WINDOW, {"teamId": "team_1"})
    assert result.status == "failed"
    assert "does not take the token" in str(result.refused)
    assert "another" not in str(result.refused)
