"""Walks of Vercel's deployments lose nothing, repeat nothing, and agree with the webhooks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Credential,
    LinkedResource,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.vercel import PROVIDER
from lightfast_pipelines.providers.vercel.api import API
from lightfast_pipelines.providers.vercel.api.shared_facts import ONLY_BY_WEBHOOK, SHARED
from tests.depth import examples
from tests.providers.agreement import api_of, paths, statements, untold
from tests.providers.vercel.payloads import AT, MINUTE, meta, sha
from tests.servers.vercel import TOKEN, Deployment, World, application, webhooks
from tests.servers.walking import Walk

WALKER = API.walkers[0]
PLACE = LinkedResource("vercel", "prj_1", "shop", meta={"team": {"id": "team_1"}})
CREDENTIAL = Credential("token", TOKEN)
SINCE = datetime.fromtimestamp(AT / 1000, UTC)
WINDOW = Window(SINCE - timedelta(days=1), SINCE + timedelta(days=30))

_ends = st.one_of(st.none(), st.integers(0, 90 * MINUTE))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some made in one millisecond, some dated, some still building."""
    world = World()
    for number in range(draw(st.integers(0, 12))):
        created = AT + draw(st.integers(0, 5)) * draw(st.sampled_from([1, MINUTE]))
        took = draw(_ends)
        state = (
            draw(st.sampled_from(["READY", "ERROR", "CANCELED"]))
            if took is not None
            else "BUILDING"
        )
        world.deployments.append(
            Deployment(
                f"dpl_{number}",
                created,
                state,
                created + took if took is not None else None,
                target=draw(st.sampled_from(["production", "staging", None])),
                creator=draw(st.sampled_from(["usr_1", "usr_2"])),
                meta=draw(st.sampled_from([{}, meta(sha(number)), meta(githubPrId="7")])),
                dated=draw(st.booleans()),
                custom_environment=draw(st.sampled_from([None, "env_1"])),
                error=draw(st.sampled_from([None, "Command failed"])),
            )
        )
    return world


def _walked(world: World, place: LinkedResource = PLACE, **how: Any) -> Walk:
    with api_of(API, application(world), CREDENTIAL) as api:
        return api.walk(WALKER, place, WINDOW, **how)


def _told(statement: Statement) -> tuple[Any, ...]:
    """What must agree. An actor of the API may be unknown; where it is known, it is the same."""
    states = {
        (state.thing.key, state.state_type, state.value, state.at) for state in statement.states
    }
    author = (statement.author.source, statement.author.source_id) if statement.author else None
    return (
        statement.source_type,
        statement.occurred_at,
        author,
        frozenset(states),
        statement.content,
        statement.title,
    )


def _actor(statement: Statement) -> str | None:
    return statement.actor.source_id if statement.actor else None


@examples(25)
@given(worlds())
def test_webhooks_and_walk_state_the_same_facts(world: World) -> None:
    by_webhook = {
        one.source_id: one
        for event, payload in webhooks(world)
        for one in statements(PROVIDER, event, payload, {})
    }
    walked = _walked(world)
    by_api = {
        one.source_id: one
        for record in walked.records
        for one in statements(PROVIDER, record.event_type, record.payload, record.headers)
    }
    assert not walked.troubles
    assert {key: _told(one) for key, one in by_api.items()} == {
        key: _told(one) for key, one in by_webhook.items()
    }
    assert {one.source_type for one in by_api.values()} <= SHARED
    for key, one in by_api.items():
        known = _actor(one)
        assert known == (None if "canceled" in one.source_type else _actor(by_webhook[key]))
    for record in walked.records:
        (statement,) = statements(PROVIDER, record.event_type, record.payload, record.headers)
        assert statement.occurred_at == record.occurred_at


@examples(15)
@given(worlds(), st.integers(1, 5), st.integers(1, 4))
def test_neither_page_size_nor_resuming_a_walk_loses_anything(
    world: World, size: int, smaller: int
) -> None:
    with api_of(API, application(world), CREDENTIAL) as api:
        whole = api.walk(WALKER, PLACE, WINDOW).rows
        short = api.walk(WALKER, PLACE, WINDOW, sizes=lambda n: size if n < 2 else smaller)
        assert short.rows == whole
        for cursor, done in zip(short.cursors, short.had, strict=True):
            rest = api.walk(WALKER, PLACE, WINDOW, start=cursor).rows
            assert {
                record.delivery_id for record in short.records[:done]
            } | rest.keys() == whole.keys()


def test_all_deployments_of_one_millisecond_between_two_pages_are_read() -> None:
    world = World([Deployment(f"dpl_{n}", AT + n // 7) for n in range(30)])
    assert len(_walked(world, sizes=lambda n: 3).rows) == 30


def test_a_deployment_without_an_id_is_reported_and_the_walk_goes_on() -> None:
    page = {
        "deployments": [{"created": AT}, {"uid": "dpl_1", "created": AT, "projectId": "prj_1"}, 7],
        "pagination": {"count": 3, "next": AT, "prev": AT},
    }
    reading = WALKER.read(PLACE, WINDOW, {"until": AT + 9}, Answer(200, {}, page))
    assert [record.delivery_id for record in reading.records] == [
        "backfill:deployment:dpl_1:created"
    ]
    assert [trouble.item for trouble in reading.troubles] == [
        "item 0 of the page",
        "item 2 of the page",
    ]
    assert reading.next == {"until": AT + 1}


def test_a_deployment_that_ended_in_the_window_is_read_although_it_began_before() -> None:
    began = int(WINDOW.since.timestamp() * 1000) - MINUTE
    walked = _walked(World([Deployment("dpl_1", began, "READY", began + 2 * MINUTE)]))
    assert [record.event_type for record in walked.records] == ["deployment.succeeded"]


def test_requests_name_the_team_so_that_its_deployments_are_visible() -> None:
    world = World([Deployment("dpl_1", AT)])
    ways = [
        LinkedResource("vercel", "prj_1", None, meta={"teamId": "team_1"}),
        LinkedResource("vercel", "prj_1", None, account={"raw": {"team_id": "team_1"}}),
        LinkedResource("vercel", "prj_1", None, installation_id="team_1"),
        LinkedResource("vercel", "team_1", None),
    ]
    for place in ways:
        assert len(_walked(world, place).records) == 1
    assert not _walked(world, LinkedResource("vercel", "prj_1", None)).records


def test_a_deployment_that_is_gone_when_requested_is_reported() -> None:
    place, cursor = PLACE, {"until": None, "pending": ["dpl_1"]}
    gone = Answer(404, {}, {"error": {"code": "not_found", "message": "gone"}})
    call = WALKER.call(place, WINDOW, cursor, 100)
    assert call.of_one
    assert API.verdict(call, gone, SINCE).outcome == "missing"
    page = WALKER.read(place, WINDOW, cursor, gone)
    assert page.next is None
    assert [trouble.item for trouble in page.troubles] == ["dpl_1"]


def test_a_resource_that_is_not_an_id_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="link the resource by its id"):
        WALKER.call(LinkedResource("vercel", "acme/shop", "shop"), WINDOW, {"until": AT}, 100)


@pytest.mark.parametrize(
    ("count", "span"),
    [
        *((count, 20 * 24 * 60) for count in (0, 1, 99, 100, 101, 450, 3_000)),
        # In an hour of a month: counted page by page.
        *((count, 60) for count in (101, 450, 950)),
    ],
)
def test_the_estimate_is_within_a_tenth_of_the_requests_of_the_walk(count: int, span: int) -> None:
    span *= MINUTE
    world = World(
        [
            Deployment(f"dpl_{n}", AT + n * span // max(count, 1), ended=AT + span)
            for n in range(count)
        ]
    )
    with api_of(API, application(world), CREDENTIAL) as api:
        estimate, probes = api.estimate(WALKER, PLACE, WINDOW)
        walked = api.walk(WALKER, PLACE, WINDOW)
    assert probes <= 12
    assert len(walked.rows) == 2 * count
    assert abs(estimate.requests - walked.requests) <= max(1, walked.requests * 0.1)


def test_recorded_answers_become_records_or_are_reported_with_a_reason(shared: Path) -> None:
    told = 0
    for path in sorted((shared / "payloads" / "vercel" / "api").glob("*/*.json")):
        body = json.loads(path.read_text())
        data = body.get("response", {}).get("body", body) if isinstance(body, dict) else {}
        if not isinstance(data, dict) or not isinstance(data.get("deployments"), list):
            continue
        page = WALKER.read(PLACE, WINDOW, {"until": 2**52}, Answer(200, {}, data))
        assert all(
            isinstance(trouble, UnreadableItem) and trouble.reason for trouble in page.troubles
        )
        for record in page.records:
            assert statements(PROVIDER, record.event_type, record.payload, record.headers)
            told += 1
    assert told


@pytest.mark.parametrize(
    ("more", "basis"),
    [
        ({}, "listed"),
        ({"readySubstate": "PROMOTED", "autoAssignCustomDomains": False}, "served"),
        ({"readySubstate": "STAGED", "aliasAssigned": True}, "staged"),
        ({"readySubstate": "ROLLING"}, "staged"),
        ({"autoAssignCustomDomains": False}, "staged"),
        ({"aliasAssigned": False}, "staged"),
        ({"checksConclusion": "failed"}, "staged"),
    ],
)
def test_a_listed_deployment_is_live_unless_the_api_denies_it(
    more: dict[str, Any], basis: str
) -> None:
    for target in ("production", "staging", None):
        world = World([Deployment("dpl_1", AT, "READY", AT + MINUTE, target=target, more=more)])
        record = _walked(world).records[-1]
        (statement,) = statements(PROVIDER, record.event_type, record.payload, record.headers)
        live = [
            state.metadata["basis"] for state in statement.states if state.state_type != "status"
        ]
        expected = {"production": [basis], "staging": ["listed"], None: []}
        assert live == expected[target]


def test_the_api_also_states_blocked_and_skipped_deployments_and_their_creator() -> None:
    world = World(
        [
            Deployment("dpl_1", AT, "BLOCKED", more={"creator": {"uid": "u", "type": "bot"}}),
            Deployment("dpl_2", AT + 1, "CANCELED", AT + MINUTE, more={"buildSkipped": True}),
            Deployment("dpl_3", AT + 2, "ERROR", AT + MINUTE, dated=False),
        ]
    )
    walked = _walked(world)
    assert not walked.troubles
    told = {
        found.source_id: found
        for record in walked.records
        for found in statements(PROVIDER, record.event_type, record.payload, record.headers)
    }
    blocked = told["vercel:deployment:dpl_1|blocked"]
    assert [state.value for state in blocked.states if state.state_type == "status"] == ["blocked"]
    actor = told["vercel:deployment:dpl_1|created"].actor
    assert actor is not None
    assert actor.kind == "bot"
    assert told["vercel:deployment:dpl_2|canceled"].title.startswith("[Deployment Skipped]")
    assert "vercel:deployment:dpl_3|error" in told


def test_every_event_is_shared_or_has_a_reason_why_not() -> None:
    delivered = {rule.event for rule in PROVIDER.events if rule.outcome == "delivered"}
    assert delivered - set(ONLY_BY_WEBHOOK) - SHARED <= {"deployment.ready"}


def test_exactly_the_fields_that_only_webhooks_have_are_listed() -> None:
    full = meta(branchAlias="shop-git-main", lambdaRuntimeStats="{}")
    world = World()
    for number, state in enumerate(("READY", "ERROR", "CANCELED")):
        made = Deployment(
            f"dpl_{number}", AT, state, AT + MINUTE, meta=full, error="Command failed"
        )
        world.deployments.append(made)
    walked = {record.delivery_id: record for record in _walked(world).records}
    listed: dict[str, set[str]] = {}
    for event, payload in webhooks(world):
        uid, transition = payload["payload"]["deployment"]["id"], event.removeprefix("deployment.")
        record = walked[f"backfill:deployment:{uid}:{transition}"]
        assert not untold(payload, record.payload, ONLY_BY_WEBHOOK[event])
        told = {path for path in ONLY_BY_WEBHOOK[event] if path in paths(record.payload)}
        listed.setdefault(event, set()).update(told)
    assert not any(listed.values())


def _call() -> Call:
    return WALKER.call(PLACE, WINDOW, {"until": AT}, 100)


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (
            403,
            {"code": "forbidden", "message": "Not authorized", "invalidToken": True},
            "credential",
        ),
        (403, {"code": "forbidden", "message": "Not authorized"}, "forbidden"),
        (401, {"code": "unauthorized", "message": "no"}, "credential"),
        (404, {"code": "not_found", "message": "Project not found"}, "missing"),
        (
            429,
            {"code": "rate_limited", "message": "Too many", "limit": {"reset": 1714644030}},
            "limited",
        ),
        (400, {"code": "bad_request", "message": "no"}, "invalid"),
        (500, {"code": "internal_server_error", "message": "oh"}, "unavailable"),
    ],
)
def test_errors_mean_what_vercel_says(status: int, error: dict[str, Any], outcome: str) -> None:
    found = API.verdict(_call(), Answer(status, {}, {"error": error}), SINCE)
    assert found.outcome == outcome
    assert found.retry_after == (30.0 if outcome == "limited" else None)


def test_limits_are_read_in_seconds() -> None:
    reset = int(SINCE.timestamp()) + 60
    headers = {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": "7",
        "x-ratelimit-reset": str(reset),
    }
    (limit,) = API.limits(_call(), Answer(200, headers, {}), SINCE)
    assert (limit.limit, limit.remaining, limit.resets_at) == (
        100,
        7,
        SINCE + timedelta(seconds=60),
    )
    assert not API.limits(_call(), Answer(200, {"x-ratelimit-limit": "x"}, {}), SINCE)
