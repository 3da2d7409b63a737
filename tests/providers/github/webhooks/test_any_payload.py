"""No payload makes `read` fail: neither GitHub's own examples nor any JSON at all."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
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
from lightfast_pipelines.providers.github import PROVIDER
from lightfast_pipelines.providers.github.webhooks.outcomes import FILTERED
from lightfast_pipelines.providers.webhook_contract import Accepted, Secret
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads
from tests.providers.github import planning_payloads as planning

EXAMPLES: dict[str, dict[str, Any]] = {
    "push": payloads.push(forced=True),
    "pull_request": payloads.pull_request("closed", merged=True, labels=("bug",), reviewers=("g",)),
    "issues": payloads.issue("closed", assignees=("ada",), milestone={"number": 1}),
    "release": payloads.release(),
    "discussion": payloads.discussion("answered"),
    "installation": {
        "action": "created",
        "installation": {"id": 7, "created_at": 1, "account": {"login": "a"}},
        "repositories": [{"id": 1, "full_name": "a/b"}],
    },
    "installation_repositories": {
        "action": "added",
        "installation": {"id": 7},
        "repositories_added": [{"id": 1}],
    },
    "repository": {"action": "renamed", "repository": payloads.repository()},
    "issue_comment": more.issue_comment(),
    "pull_request_review": more.review(),
    "pull_request_review_comment": more.review_comment(),
    "commit_comment": more.commit_comment(),
    "discussion_comment": more.discussion_comment(),
    "deployment": more.deployment(),
    "deployment_status": more.deployment_status(),
    "workflow_run": more.workflow_run(),
    "check_suite": more.check_suite(),
    "create": more.ref(),
    "pull_request_review_thread": planning.review_thread(),
    "deployment_review": planning.deployment_review("approved"),
    "deployment_protection_rule": planning.protection_rule(),
    "merge_group": planning.merge_group("destroyed", "merged"),
    "milestone": planning.milestone("closed"),
    "sub_issues": planning.sub_issue(),
    "issue_dependencies": planning.dependency(),
    "projects_v2_item": planning.project_item(changes=planning.status_field("Done")),
    "dependabot_alert": planning.dependabot_alert("dismissed"),
    "code_scanning_alert": planning.code_scanning_alert(),
    "secret_scanning_alert": planning.secret_scanning_alert("resolved"),
}
# Actions of known events whose payloads have fields of their own.
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("issues", {**payloads.issue("labeled"), "label": more.LABEL}),
    ("issues", {**payloads.issue("assigned", assignees=("a",)), "assignee": payloads.user("a")}),
    ("issues", {**payloads.issue("edited"), "changes": {"title": {"from": "x"}, "body": {}}}),
    ("pull_request", {**payloads.pull_request("milestoned"), "milestone": more.MILESTONE}),
    ("pull_request", {**payloads.pull_request("synchronize"), "after": payloads.sha(2)}),
    (
        "pull_request",
        {**payloads.pull_request("review_requested"), "requested_reviewer": payloads.user("a")},
    ),
]

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

NOW = datetime(2024, 6, 1, tzinfo=UTC)


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
    assert statement.occurred_at.tzinfo is UTC
    assert 1 <= len(statement.title) <= 200
    assert len(statement.content) <= 10_000
    assert all(change.at.tzinfo is UTC for change in statement.states)
    json.dumps(dict(statement.metadata))
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


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_a_known_payload_with_any_of_its_parts_replaced_is_read(
    event: str, data: st.DataObject
) -> None:
    payload = copy.deepcopy(EXAMPLES[event])
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from(places(payload)))
        target: Any = payload
        for name in parents:
            target = target[name]
        target[last] = data.draw(_ANYTHING)
    check(PROVIDER.read(event, payload))
    PROVIDER.route(event, payload)


@pytest.mark.parametrize(("event", "known"), [*sorted(EXAMPLES.items()), *CHANGES])
@pytest.mark.parametrize("replacement", [None, True, 1, -0.5, "x", [], [1], {}, {"id": 1}])
def test_a_known_payload_with_any_one_part_of_another_type_is_read(
    event: str, known: dict[str, Any], replacement: object
) -> None:
    for *parents, last in places(known):
        payload = copy.deepcopy(known)
        target: Any = payload
        for name in parents:
            target = target[name]
        target[last] = replacement
        check(PROVIDER.read(event, payload))
        PROVIDER.route(event, payload)


@given(st.sampled_from([*EXAMPLES, "ping", "unheard_of"]), st.dictionaries(st.text(), _ANYTHING))
def test_any_object_under_any_event_is_read(event: str, payload: dict[str, Any]) -> None:
    check(PROVIDER.read(event, payload))
    PROVIDER.route(event, payload)


def test_githubs_own_examples_are_accepted_routed_and_read(shared: Path) -> None:
    folder = shared / "payloads"
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    examples = [
        line for line in lines if line["provider"] == "github" and line["kind"] == "webhooks"
    ]
    assert len(examples) > 200
    unknown = set()
    for example in examples:
        body = (folder / example["path"]).read_bytes()
        headers = payloads.delivery_headers(example["event"], body)
        accepted = PROVIDER.accept(body, headers, [Secret("s", b"secret")], now=NOW)
        assert isinstance(accepted, Accepted), example["path"]
        payload = PROVIDER.decode(body, headers)
        reading = PROVIDER.read(accepted.event_type, payload)
        check(reading)
        if isinstance(reading, Parked) and example["event"] == "workflow_run":
            assert "workflow_run.conclusion" in reading.reason  # an action `completed`
        elif isinstance(reading, Parked):
            assert reading.reason == f"event {example['event']} is not known yet", example["path"]
            unknown.add(example["event"])
        elif example["event"] not in FILTERED:
            assert PROVIDER.route(example["event"], payload) is not None, example["path"]
    assert unknown == {
        *("gollum", "project", "project_card", "project_column"),
        *("repository_vulnerability_alert", "security_advisory"),
    }
