"""Vercel's events have exactly their declared outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Understood
from lightfast_pipelines.providers.vercel import PROVIDER
from lightfast_pipelines.providers.webhook_contract import EventRule
from tests.providers.rules import rule_for
from tests.providers.vercel import payloads


def example(event: str) -> dict[str, Any]:
    thing, _, transition = event.partition(".")
    if event == "deployment.rollback":
        return payloads.rollback("dpl_2", "dpl_1")
    if event.startswith("project.rolling-release."):
        return payloads.rolling_release(event.rpartition(".")[2])
    if event.startswith("project.env-variable."):
        return payloads.env_variable(event.rpartition(".")[2])
    if event.startswith("flag.") and event in {rule.event for rule in PROVIDER.events}:
        return payloads.flag(transition)
    if event == "alerts.triggered":
        return payloads.alert()
    if thing == "deployment":
        return payloads.deployment(transition)
    if thing == "project":
        return payloads.project(transition)
    if thing == "integration-configuration":
        return payloads.configuration(transition, projects={"added": ["prj_2"]})
    return payloads.envelope(event, {"team": {"id": "team_1"}})


@pytest.mark.parametrize("rule", PROVIDER.events, ids=lambda rule: rule.event)
def test_every_declared_event_has_its_declared_outcome(rule: EventRule) -> None:
    event = rule.event.replace(".*", ".any").replace("*", "-any")
    reading = PROVIDER.read(event, example(event))
    if rule.outcome == "delivered":
        assert isinstance(reading, Understood)
        assert tuple(statement.source_type for statement in reading.statements) == rule.source_types
    else:
        assert isinstance(reading, Filtered if rule.outcome == "filtered" else Lifecycle), reading


@pytest.mark.parametrize("event", ["firewall.attack", "deployment.paused", "project.moved"])
def test_an_event_that_is_not_declared_is_parked(event: str) -> None:
    assert rule_for(PROVIDER.events, event, None) is None
    assert isinstance(PROVIDER.read(event, example(event)), Parked)


def test_no_event_is_declared_twice() -> None:
    names = [rule.event for rule in PROVIDER.events]
    assert len(names) == len(set(names))
