"""Reads the payloads of the next batch, one by one, while Postgres works on the present one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence

from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reading import ReadPayload, read_payloads
from lightfast_pipelines.inbox.faults import describe_error

_log = logging.getLogger(__name__)


class ReadingAhead:
    """The payloads of a batch, and what has been read of them so far."""

    def __init__(self, raws: Sequence[RawPayload] = ()) -> None:
        self._waiting = deque(raws)
        self._read: dict[int, ReadPayload] = {}

    def read_one(self) -> bool:
        """Reads one more payload; returns whether others are left.

        An error that is not the payload's ends the reading ahead: it counts when the batch is captured,
        and the payload is read again.
        """
        if not self._waiting:
            return False
        raw = self._waiting.popleft()
        try:
            [self._read[raw.id]] = read_payloads([raw])
        except Exception as error:
            _log.warning("payload %d could not be read ahead: %s", raw.id, describe_error(error))
            self._waiting.clear()
        return bool(self._waiting)

    def read(self, raws: Iterable[RawPayload]) -> list[ReadPayload]:
        """The readings of these payloads, in their order; reads those that were not read ahead."""
        return [self._read.get(raw.id) or read_payloads([raw])[0] for raw in raws]
