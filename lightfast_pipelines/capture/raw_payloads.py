"""Loads stored deliveries with their bytes, to be captured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from lightfast_pipelines.domain.events import IngestionSource
from lightfast_pipelines.providers.webhook_contract import FIRST_SENT_AT
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class RawPayload:
    """A row of raw_payloads with its bytes; `body` is None if retention has dropped them."""

    id: int
    org_id: str | None
    provider: str
    delivery_id: str
    body_sha256: bytes
    event_type: str
    ingestion_source: IngestionSource
    received_at: datetime
    partition_date: date
    verified_by: str
    body: bytes | None
    headers: Mapping[str, str]
    attempts: int = 0

    @property
    def dated(self) -> datetime:
        """The time of what a body states without a time of its own: its receipt or, if the delivery was
        read from the provider's log later, the time when the provider first sent it."""
        sent = self.headers.get(FIRST_SENT_AT) if self.ingestion_source == "api" else None
        return self.received_at if sent is None else datetime.fromisoformat(sent)


_COLUMNS = """
    p.id, p.org_id, p.provider, p.delivery_id, p.body_sha256, p.event_type, p.ingestion_source,
    p.received_at, p.partition_date, p.verified_by, b.body, b.headers
"""


def load_raw_payloads(conn: Connection, ids: Mapping[int, int]) -> list[RawPayload]:
    """The payloads with these ids (id -> attempts so far), in order of their ids."""
    if not ids:
        return []
    rows = conn.execute(
        f"""
        SELECT {_COLUMNS} FROM lightfast.raw_payloads p
        LEFT JOIN lightfast.raw_bodies b
          ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE p.id = ANY(%s) ORDER BY p.id
        """,
        (list(ids),),
        binary=True,
    )
    return [RawPayload(*(*row[:11], row[11] or {}, ids[row[0]])) for row in rows]


def body_sizes(conn: Connection, ids: Collection[int]) -> list[tuple[int, int]]:
    """(id, bytes of its body) of these payloads, in the order of the ids given."""
    if not ids:
        return []
    return conn.execute(
        """
        SELECT p.id, coalesce(octet_length(b.body), 0)
        FROM unnest(%s::bigint[]) WITH ORDINALITY AS k (id, position)
        JOIN lightfast.raw_payloads p ON p.id = k.id
        LEFT JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        ORDER BY k.position
        """,
        (list(ids),),
    ).fetchall()


def first_within(sizes: Iterable[tuple[int, int]], most_bytes: int) -> list[int]:
    """The first of these payloads (id, bytes) that together fit into `most_bytes`; at least one."""
    chosen: list[int] = []
    total = 0
    for raw_id, size in sizes:
        total += size
        if chosen and total > most_bytes:
            break
        chosen.append(raw_id)
    return chosen
