"""Keeps readings of single occurrences across the batches of one capture.

In a storm of 10,000 errors, the first of each hour would otherwise be read again in every batch. Only what
a payload says is kept, which never changes; it is routed again each time.
"""

from __future__ import annotations

from collections.abc import Iterable

from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.domain.events import Understood

# A reading takes about 5 KiB if its content is short, and at most about 15 KiB.
_MOST = 20_000


class KeptReadings:
    """Readings by raw id. The earliest ones stay, as the first of an hour is read again and again."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._readings: dict[int, ReadPayload] = {}

    def keep(self, readings: Iterable[ReadPayload]) -> None:
        """Keeps those that state an occurrence, without their bytes, as long as there is room."""
        for reading in readings:
            if len(self._readings) >= self._most:
                return
            if reading.raw.id not in self._readings and _recurs(reading):
                self._readings[reading.raw.id] = reading.without_bytes()

    def of(self, ids: Iterable[int]) -> list[ReadPayload]:
        """The kept readings of these payloads, in order of their ids."""
        return [self._readings[raw_id] for raw_id in sorted(ids) if raw_id in self._readings]


def _recurs(reading: ReadPayload) -> bool:
    return isinstance(reading.reading, Understood) and any(
        statement.occurrence is not None for statement in reading.reading.statements
    )
