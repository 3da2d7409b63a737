"""Work over observations of several tenants, of which one that fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lightfast_pipelines.store.database import Connection

# Where so many fail one after the other and none goes through, it is no observation's fault.
_MOST_FAILURES = 20

_log = logging.getLogger(__name__)


class Apart:
    """Does each page in one transaction; where it fails, in halves, down to the one that fails alone.

    What fails alone is left, logged, and tried again by the next run.
    """

    def __init__(self, conn: Connection, stage: str) -> None:
        self._conn = conn
        self._stage = stage
        self._has_done = False
        self._errors: list[Exception] = []

    def run(self, ids: Sequence[int], do: Callable[[Sequence[int]], None]) -> list[int]:
        """The ids that were done. Raises the error where nothing goes through."""
        try:
            with self._conn.transaction():
                do(ids)
            self._conn.commit()
        except Exception as error:
            if self._conn.closed:
                raise
            self._conn.rollback()
            if len(ids) > 1:
                middle = len(ids) // 2
                return self.run(ids[:middle], do) + self.run(ids[middle:], do)
            self._errors.append(error)
            _log.error("%s of observation %d failed: %r", self._stage, ids[0], type(error))
            if not self._has_done and len(self._errors) >= _MOST_FAILURES:
                raise
            return []
        self._has_done = True
        return list(ids)

    def finish(self) -> None:
        """Raises what failed where nothing at all went through."""
        if self._errors and not self._has_done:
            raise self._errors[0]
