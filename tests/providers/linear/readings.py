"""Shorthands for the tests of readings: a payload in, its statements out."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.domain.events import Reading, Route, Statement, Understood
from lightfast_pipelines.providers.linear import PROVIDER
from tests.providers.linear.payloads import encoded


def read(payload: dict[str, Any]) -> Reading:
    """By way of the bytes, as every payload comes."""
    return PROVIDER.read(payload["type"], PROVIDER.decode(encoded(payload), {}))


def route_of(payload: dict[str, Any]) -> Route:
    found = PROVIDER.route(payload["type"], PROVIDER.decode(encoded(payload), {}))
    assert found is not None
    return found


def statements_of(payload: dict[str, Any]) -> tuple[Statement, ...]:
    reading = read(payload)
    assert isinstance(reading, Understood), reading
    return reading.statements


def statement_of(payload: dict[str, Any]) -> Statement:
    statements = statements_of(payload)
    assert len(statements) == 1, [statement.source_type for statement in statements]
    return statements[0]


def edges(statement: Statement) -> set[tuple[str, str, str]]:
    return {(edge.subject.key, edge.type, edge.object.key) for edge in statement.edges}


def states(statement: Statement) -> list[tuple[str, str, str]]:
    return [(state.thing.key, state.state_type, state.value) for state in statement.states]


def references(statement: Statement) -> list[tuple[str, str, str | None]]:
    return [(reference.type, reference.id, reference.label) for reference in statement.references]


def mentioned(statement: Statement, role: str) -> list[str]:
    return [mention.thing.key for mention in statement.mentions if mention.role == role]
