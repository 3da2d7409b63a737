"""Shorthands for the tests of readings: a payload in, its statements out."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.domain.events import Reading, Route, Statement, Understood
from lightfast_pipelines.providers.linear import PROVIDER
from tests.providers.linear.payloads import encoded


def read(payload: dict[str, Any]) -> Reading:
    """By way of the bytes, as every payload comes."""
    return PROVIDER.read(payload["type"], PROVIDER.decode(encoded(payload), {}))


def route(payload: dict[str, Any]) -> Route:
    found = PROVIDER.route(payload["type"], PROVIDER.decode(encoded(payload), {}))
    assert found is not None
    return found


def statements(payload: dict[str, Any]) -> tuple[Statement, ...]:
    reading = read(payload)
    assert isinstance(reading, Understood), reading
    return reading.statements


def statement(payload: dict[str, Any]) -> Statement:
    found = statements(payload)
    assert len(found) == 1, [each.source_type for each in found]
    return found[0]


def edges(found: Statement) -> set[tuple[str, str, str]]:
    return {(edge.subject.key, edge.type, edge.object.key) for edge in found.edges}


def states(found: Statement) -> list[tuple[str, str, str]]:
    return [(each.thing.key, each.state_type, each.value) for each in found.states]


def references(found: Statement) -> list[tuple[str, str, str | None]]:
    return [(each.type, each.id, each.label) for each in found.references]


def mentioned(found: Statement, role: str) -> list[str]:
    return [mention.thing.key for mention in found.mentions if mention.role == role]
