"""Reads and enriches what the next batch states, piece by piece, while Postgres works on the present one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence

from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reading import ReadPayload, read_payloads
from lightfast_pipelines.domain.enrichment import Enriched, enrich
from lightfast_pipelines.domain.events import Statement, Understood
from lightfast_pipelines.inbox.faults import describe_error

_log = logging.getLogger(__name__)


class ReadingAhead:
    """The payloads of a batch, what has been read of them so far, and what follows from that alone.

    An observation is mostly what one statement says. Where it is made of several, or of another statement
    than the payload's own, it is enriched when these are known.
    """

    def __init__(self, raws: Sequence[RawPayload] = ()) -> None:
        self._unread = deque(raws)
        self._read: dict[int, ReadPayload] = {}
        self._plain: deque[Statement] = deque()
        # By identity, which is faster than comparing texts; the statement is kept, and so is its id.
        self._enriched: dict[int, tuple[Statement, Enriched]] = {}

    def step(self) -> bool:
        """Reads one more payload or, once all are read, enriches a statement; returns whether more is left.

        An error ends this: it counts when the batch is captured, and the payload is read again.
        """
        try:
            if self._unread:
                self._read_one(self._unread.popleft())
            elif self._plain:
                statement = self._plain.popleft()
                self._enriched[id(statement)] = (statement, enrich(statement))
        except Exception as error:
            _log.warning("a batch could not be read ahead: %s", describe_error(error))
            self._unread.clear()
            self._plain.clear()
        return bool(self._unread or self._plain)

    def _read_one(self, raw: RawPayload) -> None:
        [payload] = read_payloads([raw])
        self._read[raw.id] = payload
        if isinstance(payload.reading, Understood):
            self._plain += (s for s in payload.reading.statements if s.occurrence is None)

    def read(self, raws: Iterable[RawPayload]) -> list[ReadPayload]:
        """The readings of these payloads, in their order; reads those that were not read ahead."""
        return [self._read.get(raw.id) or read_payloads([raw])[0] for raw in raws]

    def enriched(self, statement: Statement) -> Enriched:
        """The statement, enriched ahead or now."""
        ahead = self._enriched.get(id(statement))
        return enrich(statement) if ahead is None else ahead[1]
