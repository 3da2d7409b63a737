"""GitHub's GraphQL API."""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.github_wire import Bucket, Reply, Request, fault
from tests.servers.github_world import World


def answer(request: Request, worlds: Sequence[World], bucket: Bucket) -> Reply:
    return fault(404, "Not Found")
