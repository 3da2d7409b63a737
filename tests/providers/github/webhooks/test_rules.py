"""GitHub's declared rules match what `read` does, and are complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Understood
from lightfast_pipelines.providers.github import PROVIDER
from lightfast_pipelines.providers.webhook_contract import EventRule
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads
from tests.providers.github import planning_payloads as planning
from tests.providers.github.more_payloads import LABEL
from tests.providers.rules import conforms, rule_for

INSTALLATION = {"id": 7, "created_at": 1, "updated_at": 2, "account": {"login": "acme"}}
# Fields that some actions need and the others ignore.
PARTS = {
    "label": LABEL,
    "assignee": payloads.user("lin"),
    "milestone": more.MILESTONE,
    "requested_reviewer": payloads.user("lin"),
    "after": payloads.sha(2),
    "changes": {"title": {"from": "Before"}},
    "type": {"id": 1, "name": "Bug"},
    "issue_field": {"id": 2, "name": "Priority"},
    "issue_field_value": {"value": "High"},
}


def examples(rule: EventRule) -> list[dict[str, Any]]:
    """Payloads of the rule's event and action that produce every type it names."""
    action = rule.action or ""
    tag = "refs/tags/v1"
    known: dict[str, list[dict[str, Any]]] = {
        "push": [
            payloads.push(forced=True),
            payloads.push([], ref="refs/heads/gone", after=payloads.NOBODY),
            payloads.push([], ref=tag, before=payloads.NOBODY, after=payloads.sha(1)),
            payloads.push([], ref=tag, after=payloads.sha(1)),
            payloads.push([], ref=tag, after=payloads.NOBODY),
            payloads.push([], after=payloads.sha(1)),
        ],
        "pull_request": [
            {**payloads.pull_request(action), **PARTS},
            {**payloads.pull_request(action, merged=action == "closed"), **PARTS},
        ],
        "issues": [
            {**payloads.issue(action), **PARTS},
            {**payloads.issue(action, pull_request={"url": "https://api.github.com"}), **PARTS},
        ],
        "discussion": [
            {**payloads.discussion(action), "changes": PARTS["changes"], "label": LABEL}
        ],
        "release": [
            payloads.release(action, draft=action == "created", updated_at="2024-06-01T00:00:00Z")
        ],
        "issue_comment": [more.issue_comment(action=action)],
        "pull_request_review_comment": [more.review_comment(action=action)],
        "discussion_comment": [more.discussion_comment(action=action)],
        "commit_comment": [more.commit_comment(action=action)],
        "pull_request_review": [more.review(action=action)],
        "deployment": [{**more.deployment(), "action": action}],
        "deployment_status": [
            more.deployment_status(state)
            for state in (
                *("success", "failure", "in_progress", "queued", "pending", "waiting"),
                "inactive",
            )
        ],
        "workflow_run": [more.workflow_run(action=action)],
        "check_suite": [{**more.check_suite(), "action": action}],
        "pull_request_review_thread": [planning.review_thread(action)],
        "deployment_review": [planning.deployment_review(action)],
        "deployment_protection_rule": [planning.protection_rule()],
        "merge_group": [
            planning.merge_group(action, reason)
            for reason in (
                ("merged", "dequeued", "invalidated") if action == "destroyed" else (None,)
            )
        ],
        "milestone": [planning.milestone(action)],
        "sub_issues": [planning.sub_issue(action)],
        "issue_dependencies": [planning.dependency(action)],
        "projects_v2_item": [planning.project_item(action)],
        "dependabot_alert": [planning.dependabot_alert(action)],
        "code_scanning_alert": [planning.code_scanning_alert(action)],
        "secret_scanning_alert": [planning.secret_scanning_alert(action)],
        "create": [more.ref()],
        "delete": [more.ref("delete")],
        "installation": [{"action": action, "installation": INSTALLATION}],
        "installation_repositories": [
            {"action": action, "installation": INSTALLATION, f"repositories_{action}": [{"id": 1}]}
        ],
        "installation_target": [
            {"action": action, "installation": INSTALLATION, "account": {"login": "acmeinc"}}
        ],
        "repository": [{"action": action, "repository": payloads.repository()}],
    }
    return known.get(rule.event, [{"action": "any", "repository": payloads.repository()}])


@pytest.mark.parametrize("rule", PROVIDER.events, ids=lambda rule: f"{rule.event}.{rule.action}")
def test_every_declared_event_becomes_what_is_declared(rule: EventRule) -> None:
    readings = [PROVIDER.read(rule.event, payload) for payload in examples(rule)]
    if rule.outcome == "delivered":
        types = {
            statement.source_type
            for reading in readings
            if isinstance(reading, Understood)
            for statement in reading.statements
        }
        assert types == set(rule.source_types)
    else:
        kind = Filtered if rule.outcome == "filtered" else Lifecycle
        assert all(isinstance(reading, kind) for reading in readings), readings


def test_an_event_that_is_not_declared_is_parked() -> None:
    assert rule_for(PROVIDER.events, "gollum", "edited") is None
    for event, action in (("gollum", "edited"), ("issues", "frozen")):
        reading = PROVIDER.read(event, {**payloads.issue(action), "action": action})
        assert isinstance(reading, Parked)


def test_no_event_is_declared_twice() -> None:
    names = [(rule.event, rule.action) for rule in PROVIDER.events]
    assert len(names) == len(set(names))


def test_githubs_own_examples_become_what_is_declared(shared: Path) -> None:
    folder = shared / "payloads"
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    for line in lines:
        if line["provider"] == "github" and line["kind"] == "webhooks":
            payload = json.loads((folder / line["path"]).read_bytes())
            rule = rule_for(PROVIDER.events, line["event"], payload.get("action"))
            assert conforms(rule, PROVIDER.read(line["event"], payload)), line["path"]
