"""Shorthands for the tests of readings: a payload in, its statements out."""

from __future__ import annotations

from datetime import datetime

from lightfast_pipelines.domain.events import Reading, Statement, Understood
from lightfast_pipelines.providers.sentry import PROVIDER
from tests.providers.sentry.payloads import Json, encoded


def decoded(payload: Json, sent: datetime | None = None) -> Json:
    """By way of the bytes, as every payload comes; `sent` is the header's time."""
    headers = {"sentry-hook-timestamp": str(int(sent.timestamp()))} if sent else {}
    return PROVIDER.decode(encoded(payload), headers)


def read(resource: str, payload: Json, sent: datetime | None = None) -> Reading:
    return PROVIDER.read(resource, decoded(payload, sent))


def statement_of(resource: str, payload: Json, sent: datetime | None = None) -> Statement:
    reading = read(resource, payload, sent)
    assert isinstance(reading, Understood), reading
    (statement,) = reading.statements
    return statement


def edges(statement: Statement) -> set[tuple[str, str, str]]:
    return {(edge.subject.key, edge.type, edge.object.key) for edge in statement.edges}


def mentioned(statement: Statement, role: str) -> list[str]:
    return [mention.thing.key for mention in statement.mentions if mention.role == role]
