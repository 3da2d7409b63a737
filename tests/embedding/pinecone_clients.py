"""Clients of the tests' Pinecone server, and faults of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr

from lightfast_pipelines.embedding.index import Tenant, VectorRecord
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from tests.servers.pinecone import KEY, PineconeWorld, serve_pinecone
from tests.servers.serving import Fault, Served


class Connect(Protocol):
    def __call__(
        self, served: Served, *, key: str = KEY, index: str = "lightfast"
    ) -> PineconeIndex: ...


ACME = Tenant(1, "default", "acme")

# What an index may do instead of answering. All retries of the client fail too.
FAULTS = {
    "rate limit": Fault(times=99, status=429, headers={"retry-after": "0"}, body=b"slow down"),
    "server error": Fault(times=99, status=500, body=b"internal"),
    "time-out": Fault(times=99, hangs=True),
    "truncated JSON": Fault(times=99, status=200, truncated=True),
    "cut connection": Fault(times=99, status=200, cut=True),
}


@pytest.fixture
def world() -> PineconeWorld:
    return PineconeWorld()


@pytest.fixture
def served(world: PineconeWorld) -> Iterator[Served]:
    with serve_pinecone(world) as server:
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients that are closed after the test, whose pauses between attempts take no time."""
    from pinecone._internal import http_client

    monkeypatch.setattr(http_client, "_retry_sleep", lambda _seconds: None)
    # The client stops repeating requests to a host that failed often: forget the earlier tests.
    http_client.get_budget_registry()._reset()
    clients: list[PineconeIndex] = []

    def make(served: Served, *, key: str = KEY, index: str = "lightfast") -> PineconeIndex:
        clients.append(PineconeIndex(SecretStr(key), index=index, api_url=served.url, timeout=0.3))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
    http_client.get_budget_registry()._reset()


def vector(*numbers: float, dimensions: int = 256) -> NDArray[np.float32]:
    """A vector of length 1 that begins with these numbers; all zeros without any."""
    values = np.zeros(dimensions)
    values[: len(numbers)] = numbers
    length = float(np.linalg.norm(values))
    return np.asarray(values / length if length else values, np.float32)


def record(identifier: str, *numbers: float, **metadata: str | int | list[str]) -> VectorRecord:
    fields = {"layer": "observations", "model": "m", "key": identifier, **metadata}
    return VectorRecord(identifier, vector(*numbers), fields)
