"""Compares an API's history with webhooks: a client for a test's API, and the statements of both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from lightfast_pipelines.domain.events import Statement, Understood
from lightfast_pipelines.providers.api_contract import Credential, ProviderApi
from lightfast_pipelines.providers.webhook_contract import Provider
from tests.servers.walking import Asking


@contextmanager
def api_of(provider_api: ProviderApi, app: Starlette, credential: Credential) -> Iterator[Asking]:
    with TestClient(app) as http:
        yield Asking(provider_api, "http://testserver", credential, http)


def statements(
    provider: Provider, event_type: str, payload: Any, headers: Mapping[str, str]
) -> Sequence[Statement]:
    """Encoded and decoded, as every payload is."""
    reading = provider.read(event_type, provider.decode(json.dumps(payload).encode(), headers))
    assert isinstance(reading, Understood), (event_type, reading)
    return reading.statements


def paths(value: Any, at: str = "") -> set[str]:
    """The JSON paths of all values that are not empty; a list is one value."""
    if isinstance(value, dict):
        named = ((f"{at}.{name}" if at else name, one) for name, one in value.items())
        return set[str]().union(*(paths(one, path) for path, one in named))
    return {at} if value not in (None, "", []) else set()


def untold(webhook: Any, record: Any, known: Mapping[str, str]) -> set[str]:
    """Paths that the webhook has and the record lacks, without a declared reason."""
    lost = paths(webhook) - paths(record)
    return {one for one in lost if not any(f"{one}.".startswith(f"{path}.") for path in known)}


def stripped(payload: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The payload without the values at these paths, which continue through lists."""
    found = deepcopy(dict(payload))
    for path in paths:
        _remove(found, path.split("."))
    return found


def _remove(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        for one in value:
            _remove(one, path)
    elif isinstance(value, dict) and len(path) == 1:
        value.pop(path[0], None)
    elif isinstance(value, dict) and path[0] in value:
        _remove(value[path[0]], path[1:])


def event_of(event: str, payload: Mapping[str, Any]) -> str:
    return f"{event}.{payload['action']}" if "action" in payload else event
