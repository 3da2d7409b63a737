"""A header, or a line of a file, can name an event that is not the body's: whatever the pair, the body
never becomes a fact of the wrong kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Lifecycle, Parked, Understood
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import Provider
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github
from tests.providers.github import planning_payloads as planning
from tests.providers.github.webhooks.test_any_payload import EXAMPLES as GITHUB
from tests.providers.github.webhooks.test_rules import examples as examples_of_github
from tests.providers.linear.webhooks.test_any_payload import EXAMPLES as LINEAR
from tests.providers.sentry.webhooks.test_any_payload import EXAMPLES as SENTRY
from tests.providers.vercel.webhooks.test_rules import example as example_of_vercel

PROVIDERS = discover()
Body = tuple[str, dict[str, Any]]

_REPOSITORY = {"repository": github.repository(), "sender": github.user("ada")}
_OF_ORGANIZATION = {
    "organization": {"id": 9, "login": "acme"},
    "sender": github.user("ada"),
    "installation": {"id": 7, "node_id": "x"},
}
# Other events of GitHub that are mostly filtered, with actions that mean something in other events.
_OTHERS: list[Body] = [
    ("organization", {"action": "renamed", "changes": {}, **_OF_ORGANIZATION}),
    ("organization", {"action": "deleted", **_OF_ORGANIZATION}),
    ("github_app_authorization", {"action": "revoked", "sender": github.user("ada")}),
    ("team", {"action": "deleted", "team": {"id": 3}, **_OF_ORGANIZATION}),
    ("custom_property", {"action": "deleted", "definition": {"x": 1}, **_OF_ORGANIZATION}),
    ("star", {"action": "deleted", "starred_at": None, **_REPOSITORY}),
    ("star", {"action": "created", "starred_at": github.OPENED_AT, **_REPOSITORY}),
    ("label", {"action": "deleted", "label": more.LABEL, **_REPOSITORY}),
    ("deploy_key", {"action": "deleted", "key": {"id": 1}, **_REPOSITORY}),
    ("meta", {"action": "deleted", "hook": {"id": 1}, "hook_id": 1, **_REPOSITORY}),
    ("repository_ruleset", {"action": "deleted", "repository_ruleset": {"id": 1}, **_REPOSITORY}),
    ("repository_dispatch", {"action": "deleted", "client_payload": {"a": 1}, **_REPOSITORY}),
    ("repository_dispatch", {"action": "archived", "client_payload": None, **_REPOSITORY}),
    ("public", _REPOSITORY),
    ("watch", {"action": "started", **_REPOSITORY}),
    ("workflow_run", more.workflow_run(None, action="requested")),
    ("delete", more.ref("delete")),
    ("deployment_review", planning.deployment_review("rejected", comment=None)),
]


def bodies(name: str) -> Iterator[Body]:
    """(event, body of that event) of one provider, written by hand."""
    rules = PROVIDERS[name].events
    if name == "github":
        yield from chain(GITHUB.items(), _OTHERS)
        for rule in rules:
            yield from ((rule.event, body) for body in examples_of_github(rule))
    elif name == "linear":
        yield from ((body["type"], body) for body in LINEAR.values())
    elif name == "sentry":
        yield from SENTRY.items()
    else:
        events = [rule.event for rule in rules if "*" not in rule.event]
        yield from ((event, example_of_vercel(event)) for event in events)


def becomes_a_fact(provider: Provider, event: str, body: dict[str, Any]) -> bool:
    reading = provider.read(event, body)
    return isinstance(reading, Lifecycle) or (
        isinstance(reading, Understood) and bool(reading.statements)
    )


def wrong_facts(provider: Provider, found: list[Body]) -> set[tuple[str, Any, str]]:
    """(event of the body, its action, named event) of each body that became a fact nevertheless."""
    events = sorted({rule.event for rule in provider.events} | {event for event, _ in found})
    return {
        (own, str(body.get("action")), event)
        for own, body in found
        for event in events
        if event != own and becomes_a_fact(provider, event, body)
    }


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_no_body_becomes_a_fact_of_another_event(name: str) -> None:
    found = list(bodies(name))
    assert sum(becomes_a_fact(PROVIDERS[name], event, body) for event, body in found) >= 5
    assert wrong_facts(PROVIDERS[name], found) == set()


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_no_recorded_payload_becomes_another_events_fact_or_a_misfit(
    name: str, shared: Path
) -> None:
    folder = shared / "payloads"
    lines = map(json.loads, (folder / "index.jsonl").read_text().splitlines())
    found: list[Body] = []
    for line in lines:
        if (line["provider"], line["kind"]) != (name, "webhooks") or "data_only" in line["path"]:
            continue
        body = json.loads((folder / line["path"]).read_bytes())
        event = line.get("event") if name in ("github", "sentry") else None
        event = event or (body.get("type") if isinstance(body, dict) else None)
        if isinstance(body, dict) and isinstance(event, str):
            found.append((event, body))
    assert len(found) >= 10
    assert wrong_facts(PROVIDERS[name], found) == set()
    for event, body in found:
        reading = PROVIDERS[name].read(event, body)
        assert not (isinstance(reading, Parked) and "does not fit" in reading.reason), event
