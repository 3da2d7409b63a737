"""Reads payloads outside the batch, which were captured earlier and state the same facts.

They are read and routed like those of the batch, in portions, so that few bodies are in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.raw_payloads import body_sizes, first_within, load_raw_payloads
from lightfast_pipelines.capture.reading import ReadPayload, read_payloads
from lightfast_pipelines.capture.routing import route
from lightfast_pipelines.capture.statements import Stated, statements_of
from lightfast_pipelines.store.database import Connection

# The bodies of one portion are in memory at once, and a body may have 25 MiB.
_PORTION_BYTES = 48 * 1024 * 1024


class OtherPayloads:
    """Payloads outside the batch. `kept` avoids reading the same occurrences again in every batch."""

    def __init__(self, conn: Connection, kept: KeptReadings) -> None:
        self._conn = conn
        self._kept = kept

    def statements(
        self, raw_ids: Iterable[int], is_wanted: Callable[[Stated], bool]
    ) -> tuple[list[Stated], set[int]]:
        """The wanted statements of these payloads, and the payloads whose body is gone."""
        wanted: list[Stated] = []
        bodiless: set[int] = set()
        for payloads in self._portions(sorted(set(raw_ids))):
            wanted += filter(is_wanted, statements_of(route(self._conn, payloads)))
            bodiless |= {payload.raw.id for payload in payloads if payload.raw.body is None}
        return wanted, bodiless

    def _portions(self, raw_ids: Sequence[int]) -> Iterator[list[ReadPayload]]:
        """Reads these payloads portion by portion; those whose readings are kept come first."""
        kept = self._kept.of(raw_ids)
        if kept:
            yield kept
        kept_ids = {payload.raw.id for payload in kept}
        for ids in _split(self._conn, [raw_id for raw_id in raw_ids if raw_id not in kept_ids]):
            payloads = [
                payload.without_bytes()
                for payload in read_payloads(load_raw_payloads(self._conn, dict.fromkeys(ids, 0)))
            ]
            self._kept.keep(payloads)
            yield payloads


def _split(conn: Connection, raw_ids: Sequence[int]) -> Iterator[list[int]]:
    """Splits the ids so that the bodies of one portion fit into memory."""
    sizes = body_sizes(conn, raw_ids)
    while sizes:
        portion = first_within(sizes, _PORTION_BYTES)
        yield portion
        sizes = sizes[len(portion) :]
