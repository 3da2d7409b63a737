"""What reading a history needs of the world around it, named without loading any of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lightfast_pipelines.provider_api.client import ApiClient
    from lightfast_pipelines.store.backfills import Source


class Apis(Protocol):
    """Opens an installation's access to its provider's API; `access.py` does."""

    def open(self, source: Source, check: Callable[[], None]) -> AbstractContextManager[ApiClient]:
        """`check` is called while it waits, and may raise to end the wait."""
        ...
