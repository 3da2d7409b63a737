"""No payload makes a reading fail: neither Vercel's own deliveries nor any JSON at all."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Reading, Understood
from lightfast_pipelines.providers.vercel import PROVIDER
from lightfast_pipelines.providers.webhook_contract import Accepted, Secret
from tests.providers.vercel import payloads

EXAMPLES: dict[str, dict[str, Any]] = {
    "deployment.succeeded": payloads.deployment("succeeded", git=payloads.meta(githubPrId="3")),
    "deployment.checks.failed": payloads.deployment("checks.failed", checks=[{"name": "a"}]),
    "deployment.rollback": payloads.rollback("dpl_2", "dpl_1"),
    "project.created": payloads.project(),
    "project.renamed": payloads.project("renamed"),
    "integration-configuration.removed": payloads.configuration(),
    "integration-configuration.permission-upgraded": payloads.configuration(
        "permission-upgraded", projects={"added": ["prj_2"], "removed": []}
    ),
    "integration-configuration.transferred": payloads.configuration(
        "transferred", newTeamId="team_2"
    ),
}
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "x" * 20_000, "9" * 40, "-", "1"])
)
_ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def check(reading: Reading) -> None:
    if not isinstance(reading, Understood):
        assert isinstance(reading, Filtered | Parked | Lifecycle)
        assert reading.reason
        return
    for statement in reading.statements:
        assert statement.source_id.startswith(statement.subject.key + "|")
        assert statement.occurred_at.tzinfo is UTC
        assert 1 <= len(statement.title) <= 200
        assert len(statement.content) <= 10_000
        json.dumps(dict(statement.metadata))
        for mention in statement.mentions:
            assert len(mention.thing.key) < 1_100  # keys are indexed


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    found = [path] if path else []
    for name, child in children:
        found += places(child, (*path, name))
    return found


def replaced(event: str, place: tuple[str | int, ...], replacement: object) -> dict[str, Any]:
    payload = copy.deepcopy(EXAMPLES[event])
    *parents, last = place
    target: Any = payload
    for name in parents:
        target = target[name]
    target[last] = replacement
    return payload


@pytest.mark.parametrize("event", sorted(EXAMPLES))
@pytest.mark.parametrize("replacement", [None, True, 1, -0.5, "x", [], [1], {}, {"id": 1}])
def test_a_payload_with_one_part_of_another_type_is_read(event: str, replacement: object) -> None:
    for place in places(EXAMPLES[event]):
        payload = replaced(event, place, replacement)
        check(PROVIDER.read(event, payload))
        PROVIDER.route(event, payload)


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_a_payload_with_any_parts_replaced_is_read(event: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(places(EXAMPLES[event])))
    payload = replaced(event, place, data.draw(_ANYTHING))
    check(PROVIDER.read(event, payload))
    PROVIDER.route(event, payload)


@given(st.sampled_from([*EXAMPLES, "unheard.of"]), st.dictionaries(st.text(), _ANYTHING))
def test_any_object_under_any_event_is_read(event: str, payload: dict[str, Any]) -> None:
    for offered in (payload, {"createdAt": payloads.AT, "payload": payload}):
        check(PROVIDER.read(event, offered))
        PROVIDER.route(event, offered)


def test_vercels_own_deliveries_are_accepted_routed_and_understood(shared: Path) -> None:
    folder = shared / "payloads"
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    examples = [
        line
        for line in lines
        if line["provider"] == "vercel" and line["kind"] == "webhooks" and "event" in line
    ]
    assert len(examples) == 12
    for example in examples:
        body = (folder / example["path"]).read_bytes()
        if "payload_only" in example["path"]:
            body = payloads.encoded(payloads.envelope(example["event"], json.loads(body)))
        headers = payloads.delivery_headers(body)
        accepted = PROVIDER.accept(
            body, headers, [Secret("s", b"secret")], now=datetime(2026, 6, 1, tzinfo=UTC)
        )
        assert isinstance(accepted, Accepted), example["path"]
        assert accepted.event_type == example["event"]
        payload = PROVIDER.decode(body, headers)
        reading = PROVIDER.read(accepted.event_type, payload)
        check(reading)
        assert isinstance(reading, Understood | Lifecycle), example["path"]
        assert isinstance(reading, Lifecycle) == (example["event"] == "project.removed")
        route = PROVIDER.route(accepted.event_type, payload)
        assert route is not None
        assert route.resource_key.startswith("vercel:project:")


def test_every_type_that_vercel_documents_has_a_decided_outcome(shared: Path) -> None:
    tables = shared / "payloads" / "vercel" / "webhooks" / "_docs" / "event-field-tables.json"
    known = json.loads(tables.read_text())["events"]
    readings = {event: PROVIDER.read(event, payloads.envelope(event, {"x": 1})) for event in known}
    unknown = {
        event
        for event, reading in readings.items()
        if isinstance(reading, Parked) and "not known yet" in reading.reason
    }
    assert unknown == {"observability.usage-anomaly", "observability.error-anomaly"}
