"""A backfill of a team's history makes the same rows as its webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from lightfast_pipelines.providers.linear.api import API
from lightfast_pipelines.providers.linear.api.shared_facts import SHARED
from lightfast_pipelines.store.database import Database
from tests.backfill.conftest import PlainApis
from tests.providers.backfilled import (
    by_backfill,
    by_webhook,
    observations,
    outcomes,
)
from tests.providers.linear.api.test_walks import EVER
from tests.servers.linear import Linear, app
from tests.servers.linear_life import lived
from tests.servers.linear_world import webhooks
from tests.servers.serving import Fault, serve

_TEAM = "team-1"


def _shared(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What both tell; who did something to a project or cycle the API does not know."""
    return [
        (*row[:3], None if row[1].startswith(("project.", "cycle.")) else row[3], row[4])
        for row in rows
        if row[1] in SHARED
    ]


def test_a_backfill_makes_the_memory_that_the_webhooks_made(
    new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lived(21, 300, teams=1)
    read, told = new_database(), new_database()
    with serve(app(Linear(world, tokens={"live-token"}))) as served:
        served.faults.append(Fault("query comments", status=503, times=1))
        apis = PlainApis(read, served.url, API)
        result = by_backfill(read, monkeypatch, apis, _TEAM, EVER, {})
    assert [(unit.unit.entity_type, unit.status, unit.error) for unit in result.units] == [
        (walker.entity_type, "completed", None) for walker in API.walkers
    ]
    assert not sum(unit.troubled for unit in result.units)
    # One was asked again.
    assert abs(result.expected.requests - result.requests) <= max(1, result.requests * 0.1)
    deliveries: list[tuple[str, bytes, Mapping[str, str]]] = [
        (event, json.dumps(body).encode(), {}) for event, body in webhooks(world)
    ]
    by_webhook(told, "linear", [_TEAM], deliveries)
    with read.connect("pipeline") as one, told.connect("pipeline") as other:
        assert outcomes(one) == {("delivered", None)}
        assert _shared(observations(one)) == _shared(observations(other))
        assert {row[1] for row in _shared(observations(one))} >= {"issue.assigned", "cycle.created"}


def test_a_page_that_is_too_complex_is_halved(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = Linear(lived(22, 200, teams=1), most_complex=4_700, tokens={"live-token"})
    with serve(app(linear)) as served:
        apis = PlainApis(database, served.url, API)
        result = by_backfill(database, monkeypatch, apis, _TEAM, EVER, {})
    assert {unit.status for unit in result.units} == {"completed"}
    made = {issue["id"] for issue in linear.world.issues}
    with database.connect("pipeline") as conn:
        found = conn.execute(
            "SELECT count(*) FROM lightfast.observations WHERE source_type = 'issue.created'"
        ).fetchone()
    assert found == (len(made),)
