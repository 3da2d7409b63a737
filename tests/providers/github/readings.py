"""Reads a payload and returns its statements, for tests."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.domain.events import Reading, Statement, Understood
from lightfast_pipelines.providers.github import PROVIDER
from tests.providers.github.payloads import encoded


def read(event: str, payload: dict[str, Any]) -> Reading:
    """Encoded and decoded, as every payload is."""
    return PROVIDER.read(event, PROVIDER.decode(encoded(payload), {}))


def statements(event: str, payload: dict[str, Any]) -> tuple[Statement, ...]:
    reading = read(event, payload)
    assert isinstance(reading, Understood), reading
    return reading.statements


def statement(event: str, payload: dict[str, Any]) -> Statement:
    found = statements(event, payload)
    assert len(found) == 1, [each.source_type for each in found]
    return found[0]


def edges(found: Statement) -> set[tuple[str, str, str]]:
    return {(edge.subject.key, edge.type, edge.object.key) for edge in found.edges}


def accounts(found: Statement, role: str) -> list[str | None]:
    return [
        each.account.username or each.account.source_id
        for each in found.accounts
        if each.role == role
    ]


def mentioned(found: Statement, role: str) -> list[str]:
    return [mention.thing.key for mention in found.mentions if mention.role == role]
