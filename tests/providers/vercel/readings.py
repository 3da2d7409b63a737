"""Shorthands for the tests of readings: a payload in, its statements out."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.domain.events import Reading, Statement, Understood
from lightfast_pipelines.providers.vercel import PROVIDER
from tests.providers.vercel.payloads import encoded


def read(payload: dict[str, Any]) -> Reading:
    """By way of the bytes, as every payload comes."""
    return PROVIDER.read(payload["type"], PROVIDER.decode(encoded(payload), {}))


def statement_of(payload: dict[str, Any]) -> Statement:
    reading = read(payload)
    assert isinstance(reading, Understood), reading
    (statement,) = reading.statements
    return statement


def edges(statement: Statement) -> set[tuple[str, str, str]]:
    return {(edge.subject.key, edge.type, edge.object.key) for edge in statement.edges}


def states(statement: Statement) -> dict[tuple[str, str], str]:
    return {(change.thing.key, change.state_type): change.value for change in statement.states}
