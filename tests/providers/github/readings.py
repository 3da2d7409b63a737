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
    results = statements(event, payload)
    assert len(results) == 1, [result.source_type for result in results]
    return results[0]


def edges(found: Statement) -> set[tuple[str, str, str]]:
    return {(edge.subject.key, edge.type, edge.object.key) for edge in found.edges}


def accounts(found: Statement, role: str) -> list[str | None]:
    return [
        account.account.username or account.account.source_id
        for account in found.accounts
        if account.role == role
    ]


def mentioned(found: Statement, role: str) -> list[str]:
    return [mention.thing.key for mention in found.mentions if mention.role == role]
