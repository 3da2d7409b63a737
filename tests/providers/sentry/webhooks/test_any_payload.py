"""No payload makes a reading fail: neither Sentry's own examples nor any JSON at all."""

from __future__ import annotations

import copy
import json
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import (
    Filtered,
    Lifecycle,
    Parked,
    Reading,
    Statement,
    Understood,
)
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.webhook_contract import Accepted, Secret
from tests.depth import examples
from tests.providers.sentry import payloads
from tests.providers.sentry.payloads import NOW, Json

ASSIGNEE = {"type": "user", "id": "7", "name": "Ada", "email": "ada@acme.test"}
RESOLUTION = {
    "inCommit": {
        "id": "a" * 40,
        "repository": {"name": "acme/shop"},
        "pullRequest": {"id": "1", "externalUrl": "https://github.com/acme/shop/pull/1"},
    },
    "inRelease": "1.0",
    "actor": ASSIGNEE,
}
EXAMPLES: dict[str, Json] = {
    "issue": payloads.issue(
        "resolved",
        statusDetails=RESOLUTION,
        assignedTo=ASSIGNEE,
        firstRelease={"version": "1.0"},
    ),
    "error": payloads.error(),
    "event_alert": payloads.event_alert(),
    "metric_alert": payloads.metric_alert(),
    "comment": payloads.comment(),
    "installation": payloads.installation(),
    "activity_alert": payloads.activity_alert(),
    "seer": payloads.seer("root_cause_completed"),
}

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "x" * 20_000, "0001-01-01T00:00:00+14:00", "9" * 40, "https://[", "²"])
)
_ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def check(reading: Reading) -> None:
    if isinstance(reading, Understood):
        assert reading.statements or reading.reason
        for statement in reading.statements:
            check_statement(statement)
    else:
        assert isinstance(reading, Filtered | Parked | Lifecycle)
        assert reading.reason


def check_statement(statement: Statement) -> None:
    assert statement.source_id.startswith(statement.subject.key + "|")
    assert len(statement.source_id) < 1_500
    assert statement.occurred_at.tzinfo is UTC
    assert 1 <= len(statement.title) <= 200
    assert len(statement.content) <= 10_000
    assert all(change.at.tzinfo is UTC for change in statement.states)
    assert all(-(2**31) <= change.rank < 2**31 for change in statement.states)
    json.dumps(dict(statement.metadata), allow_nan=False)
    for mention in statement.mentions:
        assert len(mention.thing.key) < 1_000  # keys are indexed


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


def replaced(payload: Json, path: tuple[str | int, ...], value: object) -> Json:
    changed: Any = copy.deepcopy(payload)
    target = changed
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    return dict(changed)


@examples(100)
@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_a_payload_with_any_parts_replaced_is_read(event: str, data: st.DataObject) -> None:
    payload = EXAMPLES[event]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(payload)))
        payload = replaced(payload, path, data.draw(_ANYTHING))
    check(PROVIDER.read(event, payload))
    PROVIDER.route(event, payload)


@pytest.mark.parametrize("event", sorted(EXAMPLES))
@pytest.mark.parametrize("replacement", [None, True, 1, -0.5, 1e300, "x", [], [1], {}, {"id": 1}])
def test_a_payload_with_one_part_of_another_type_is_read(event: str, replacement: object) -> None:
    for path in places(EXAMPLES[event]):
        payload = replaced(EXAMPLES[event], path, replacement)
        check(PROVIDER.read(event, payload))
        PROVIDER.route(event, payload)


@given(st.sampled_from([*EXAMPLES, "seer", "ping"]), st.dictionaries(st.text(), _ANYTHING))
def test_any_object_under_any_resource_is_read(event: str, payload: Json) -> None:
    check(PROVIDER.read(event, payload))
    PROVIDER.route(event, payload)


def test_sentrys_own_examples_are_accepted_routed_and_read(shared: Path) -> None:
    folder = shared / "payloads"
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    examples = [
        line for line in lines if line["provider"] == "sentry" and line["kind"] == "webhooks"
    ]
    became: Counter[tuple[str, str]] = Counter()
    for example in examples:
        payload = json.loads((folder / example["path"]).read_bytes())
        if "data_only" in example["group"]:
            payload = payloads.envelope(example["action"], payload, payloads.SENTRY)
        body = payloads.encoded(payload)
        headers = payloads.delivery_headers(example["event"], body)
        accepted = PROVIDER.accept(body, headers, [Secret("s", b"secret")], now=NOW)
        assert isinstance(accepted, Accepted), example["path"]
        decoded = PROVIDER.decode(body, headers)
        reading = PROVIDER.read(accepted.event_type, decoded)
        check(reading)
        assert PROVIDER.route(accepted.event_type, decoded) is not None, example["path"]
        if isinstance(reading, Parked):
            assert reading.reason == f"event {example['event']} is not known yet", example["path"]
        became[example["event"], type(reading).__name__] += 1
    assert became == {
        ("issue", "Understood"): 4,
        ("error", "Understood"): 2,
        ("event_alert", "Understood"): 2,
        ("metric_alert", "Understood"): 2,
        ("comment", "Understood"): 2,
        ("installation", "Lifecycle"): 2,
        ("activity_alert", "Understood"): 1,
        ("preprod_artifact", "Parked"): 3,
        ("seer", "Understood"): 4,
        ("seer", "Filtered"): 4,
    }
