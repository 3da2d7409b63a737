"""Sentry's events have exactly their declared outcomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.webhook_contract import EventRule
from tests.providers.rules import conforms, rule_for
from tests.providers.sentry import payloads
from tests.providers.sentry.readings import read, statement_of

EXAMPLES = {
    "issue": payloads.issue(),
    "error": payloads.error(),
    "event_alert": payloads.event_alert(),
    "metric_alert": payloads.metric_alert(),
    "comment": payloads.comment(),
    "installation": payloads.installation(),
    "activity_alert": payloads.activity_alert(),
    "seer": payloads.seer(),
}


@pytest.mark.parametrize("rule", PROVIDER.events, ids=lambda rule: f"{rule.event}.{rule.action}")
def test_every_declared_event_has_its_declared_outcome(rule: EventRule) -> None:
    payload = {**EXAMPLES[rule.event], "action": rule.action}
    if rule.action == "merged":
        payload = payloads.merged()
    if rule.outcome == "lifecycle":
        assert isinstance(read(rule.event, payload), Lifecycle)
    elif rule.outcome == "filtered":
        assert read(rule.event, payload, payloads.NOW) == Filtered(rule.note)
    elif rule.event == "error":  # stands alone or is counted: which, the whole series decides
        assert statement_of(rule.event, payload).source_type in rule.source_types
    else:
        told = statement_of(rule.event, payload, payloads.NOW)
        assert (told.source_type,) == rule.source_types


@pytest.mark.parametrize("event", EXAMPLES)
def test_an_action_that_is_not_declared_is_parked(event: str) -> None:
    reading = read(event, {**EXAMPLES[event], "action": "frozen"})
    assert reading == Parked(f"action frozen of {event} is not known yet")
    assert rule_for(PROVIDER.events, event, "frozen") is None


def test_every_event_about_work_is_among_the_default_events() -> None:
    assert PROVIDER.default_events == {
        "issue",
        "error",
        "event_alert",
        "metric_alert",
        "comment",
        "activity_alert",
        "seer",
    }


def test_sentrys_own_examples_have_their_declared_outcome(shared: Path) -> None:
    folder = shared / "payloads"
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    for line in lines:
        if line["provider"] == "sentry" and line["kind"] == "webhooks":
            payload = json.loads((folder / line["path"]).read_bytes())
            if "data_only" in line["group"]:
                payload = payloads.envelope(line["action"], payload)
            rule = rule_for(PROVIDER.events, line["event"], line["action"])
            assert conforms(rule, read(line["event"], payload)), line["path"]
