"""The HTTP client with which `up` asks the servers that it runs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


@cache
def local_client() -> httpx.Client:
    """Made once, because making one loads the machine's certificates, which takes 20 ms.

    It keeps no connection: a server may be replaced at any moment.
    """
    import httpx

    return httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
