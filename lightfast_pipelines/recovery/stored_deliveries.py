"""Decides whether a delivery that a provider's log names is one of those that are stored.

A delivery's id is not signed: whoever has any signed body can send it under the id of another delivery.
So a stored row with the id is not enough. If the log says that no attempt reached us, the row's body
must equal the log's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.api_contract import AnswerOutcome, Json
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.recovery_contract import DeliveryLog, LogEntry
from lightfast_pipelines.recovery.cycle import UNREADABLE
from lightfast_pipelines.store import outages
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.outages import ExpectedDelivery, StoredDelivery


@dataclass(frozen=True, slots=True)
class SentDelivery(ExpectedDelivery):
    """A delivery that the log names, with its attempts, the latest first."""

    tries: Sequence[LogEntry]

    @property
    def was_accepted(self) -> bool:
        """Whether an attempt was answered with success: then the stored row is what was sent."""
        return any(200 <= attempt.status < 300 for attempt in self.tries)


class StoredDeliveries:
    """Which deliveries of one log are stored, and how they arrived."""

    def __init__(
        self,
        conn: Connection,
        api: ApiClient,
        provider: str,
        log: DeliveryLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._conn, self._api, self._log, self._clock = conn, api, log, clock
        self._provider = discover()[provider]
        self._impostors: set[int] = set()

    def arrived(self, sent: Iterable[SentDelivery]) -> dict[str, str]:
        """Delivery id -> its `ingestion_source`, for those that are stored.

        Raises CallFailedError if the log cannot supply a body that has to be compared.
        """
        by_id = {delivery.delivery_id: delivery for delivery in sent}
        rows_by_id: dict[str, list[StoredDelivery]] = {}
        for row in self._stored(by_id.values()):
            rows_by_id.setdefault(row.delivery_id, []).append(row)
        sources: dict[str, str] = {}
        for delivery_id, rows in rows_by_id.items():
            genuine = self._genuine(by_id[delivery_id], rows)
            self._impostors |= {row.raw_id for row in rows if row not in genuine}
            if genuine:
                sources[delivery_id] = max(row.ingestion_source for row in genuine)
        return sources

    def came_since(self, sent: Iterable[SentDelivery]) -> dict[str, str]:
        """Like `arrived`, for requested deliveries that have just come in; compares no bodies again."""
        return {row.delivery_id: row.ingestion_source for row in self._stored(sent)}

    def _stored(self, sent: Iterable[SentDelivery]) -> list[StoredDelivery]:
        rows = outages.stored(self._conn, self._provider.name, list(sent))
        self._conn.rollback()
        return [row for row in rows if row.raw_id not in self._impostors]

    def _genuine(
        self, delivery: SentDelivery, rows: Sequence[StoredDelivery]
    ) -> Sequence[StoredDelivery]:
        taken_from_log = [row for row in rows if row.ingestion_source == "api"]
        if taken_from_log:
            return taken_from_log
        if delivery.was_accepted:
            return rows
        try:
            answer = self._api.ask(self._log.detail(delivery.tries[-1], self._clock()))
            sent = self._log.logged_delivery(answer).payload
        except CallFailedError as error:
            if error.outcome is not AnswerOutcome.MISSING:
                raise
            return rows
        except UNREADABLE:
            # The log no longer has its body, so nothing could be recovered from there.
            return rows
        return [row for row in rows if self._payload(row) == sent]

    def _payload(self, row: StoredDelivery) -> Json | None:
        stored = outages.stored_body(self._conn, row.raw_id)
        self._conn.rollback()
        if stored is None:
            return None
        try:
            return self._provider.decode(*stored)
        except MalformedBody:
            return None
