"""No payload makes a reading fail: neither recorded ones nor any JSON at all."""

from __future__ import annotations

import copy
import json
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
from lightfast_pipelines.providers.linear import PROVIDER
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.linear import payloads

EXAMPLES: dict[str, dict[str, Any]] = {
    "issue": payloads.issue(
        assignee="Ada",
        project="project-1",
        cycleId="cycle-1",
        parentId="issue-1",
        labels=[{"id": "label-1", "name": "Bug"}],
        attachments=[{"url": "https://github.com/a/b/pull/1", "title": "x"}],
        relations=[{"type": "blocks", "relatedIssueId": "issue-2"}],
    ),
    "issue update": payloads.issue_update(
        {"stateId": "x", "labelIds": ["a"], "trashed": True, "priority": 0, "assigneeId": None},
        assignee="Ada",
    ),
    "issue remove": payloads.issue("remove"),
    "comment": payloads.comment(parentId="comment-0"),
    "comment update": payloads.comment("update", updated_from={"body": "x"}),
    "reaction": payloads.reaction(),
    "attachment": payloads.attachment(
        address="https://acme.sentry.io/issues/1/", metadata={"shortId": "A-1"}
    ),
    "project": payloads.project(health="onTrack", progress=0.25),
    "project update": payloads.project("update", updated_from={"statusId": "x", "memberIds": []}),
    "project-update": payloads.project_update(),
    "cycle": payloads.cycle("update", updated_from={"completedAt": None, "name": "x"}),
    "label": payloads.label("update", updated_from={"name": "x"}),
    "application": payloads.envelope("OAuthApp", "revoked", {}),
    "permissions": payloads.envelope("PermissionChange", "teamAccessChanged", {})
    | {"addedTeamIds": ["team-1"]},
}

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "x" * 20_000, "0001-01-01T00:00:00+14:00", "9" * 40, "9999999999"])
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
    assert statement.source_id.startswith("linear:")
    assert statement.source == "linear"
    assert statement.occurred_at.tzinfo is UTC
    assert 1 <= len(statement.title) <= 200
    assert len(statement.content) <= 10_000
    assert all(change.at.tzinfo is UTC for change in statement.states)
    assert statement.mentions[0].role == "subject"
    assert statement.mentions[0].thing == statement.subject
    json.dumps(dict(statement.metadata), allow_nan=False)
    for mention in statement.mentions:
        assert len(mention.thing.key) < 1_000  # keys are indexed
    assert len({(change.thing.key, change.state_type) for change in statement.states}) == len(
        statement.states
    )


def check_all(event: str, payload: dict[str, Any]) -> Reading:
    reading = PROVIDER.read(event, payload)
    check(reading)
    PROVIDER.route(event, payload)
    return reading


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


def put(payload: dict[str, Any], place: tuple[str | int, ...], value: object) -> None:
    *parents, last = place
    target: Any = payload
    for name in parents:
        target = target[name]
    target[last] = value


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_a_payload_with_any_parts_replaced_is_read(name: str, data: st.DataObject) -> None:
    payload = copy.deepcopy(EXAMPLES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        put(payload, data.draw(st.sampled_from(places(payload))), data.draw(_ANYTHING))
    check_all(EXAMPLES[name]["type"], payload)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("replacement", [None, True, 1, -0.5, "x", [], [1], {}, {"id": 1}])
def test_a_payload_with_one_part_of_another_type_is_read(name: str, replacement: object) -> None:
    for place in places(EXAMPLES[name]):
        payload = copy.deepcopy(EXAMPLES[name])
        put(payload, place, replacement)
        check_all(EXAMPLES[name]["type"], payload)


@given(
    st.sampled_from([*sorted({each["type"] for each in EXAMPLES.values()}), "unheard_of"]),
    st.dictionaries(st.text(), _ANYTHING),
    st.sampled_from(["create", "update", "remove", None]),
    st.dictionaries(st.text(max_size=10), _ANYTHING),
)
def test_any_object_under_any_event_is_read(
    event: str, payload: dict[str, Any], action: str | None, data: dict[str, Any]
) -> None:
    check_all(event, payload)
    moment = payloads.CREATED_AT
    around = {
        "action": action,
        "data": {"id": "x", **data},
        "createdAt": moment,
        "updatedFrom": data,
    }
    check_all(event, {**payload, **around})


def test_the_hand_written_examples_are_all_understood() -> None:
    for payload in EXAMPLES.values():
        assert isinstance(check_all(payload["type"], payload), Understood | Lifecycle)


def test_recorded_payloads_of_all_generations_are_routed_and_read(shared: Path) -> None:
    files = sorted((shared / "payloads" / "linear" / "webhooks").rglob("*.json"))
    assert len(files) >= 45
    ids: dict[str, set[str]] = {}
    for file in files:
        body = file.read_bytes()
        payload = PROVIDER.decode(body, {})
        reading = check_all(payload["type"], payload)
        # All of them are of kinds that are known: nothing may be parked.
        assert isinstance(reading, Understood | Filtered), (file, reading)
        assert PROVIDER.route(payload["type"], payload) is not None, file
        for statement in reading.statements if isinstance(reading, Understood) else ():
            ids.setdefault(statement.source_id, set()).add(statement.source_type)
    assert all(len(types) == 1 for types in ids.values())
    assert len(ids) >= 40


def test_recorded_payloads_are_accepted_at_the_time_they_sign(shared: Path) -> None:
    for file in sorted((shared / "payloads" / "linear" / "webhooks").rglob("*.json")):
        body = file.read_bytes()
        payload = json.loads(body)
        headers = payloads.delivery_headers(body, linear_event=payload["type"])
        answers = [
            PROVIDER.accept(body, headers, [Secret("s", b"secret")], now=now)
            for now in (_signed_time(payload), payloads.SENT_AT)
        ]
        assert isinstance(answers[1], Refused), file  # recorded long before
        if "webhookTimestamp" in payload:
            assert answers[0] == Accepted("d-1", payload["type"], "s"), file


def _signed_time(payload: dict[str, Any]) -> Any:
    from lightfast_pipelines.providers.fields import time

    return time(payload, "webhookTimestamp") or payloads.SENT_AT
