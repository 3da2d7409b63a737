"""The port through which backfill and recovery open clients; importing it does not load HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lightfast_pipelines.provider_api.client import ApiClient
    from lightfast_pipelines.store.sources import Source


class Apis(Protocol):
    """Opens clients for installations; `access.StoredAccess` is one."""

    def open(self, source: Source, check: Callable[[], None]) -> AbstractContextManager[ApiClient]:
        """`check` is called during waits and may raise to end one."""
        ...
