"""Stores deliveries, once each, and queues them.

One statement writes delivery, body and queue row, for the receiver (asyncpg) and for files (psycopg).
Nothing here verifies a signature or reads a body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import psycopg

from lightfast_pipelines.store.partition_start import move_start_back

MAX_NAME_BYTES = 1000
"""Longest delivery id or event type: an index row of the unique key must stay below 2,700 bytes."""

CHUNK_ROWS = 1000
CHUNK_BYTES = 8 * 1024 * 1024

DeliveryKey = tuple[str, str, str, bytes, str | None, str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is stored. Times have a time zone; `body` is stored byte for byte.

    NUL and lone surrogates in names become U+FFFD, because Postgres stores neither. Raises ValueError
    if `delivery_id` or `event_type` is empty or too long.
    """

    provider: str
    delivery_id: str
    event_type: str
    body: bytes
    headers: Mapping[str, str]
    received_at: datetime
    partition_date: date
    ingestion_source: str
    verified_by: str
    org_id: str | None = None
    body_sha256: bytes = field(default=b"", repr=False)
    """Computed from `body` if not given."""

    def __post_init__(self) -> None:
        for name in ("delivery_id", "event_type"):
            given = getattr(self, name)
            if not given:
                raise ValueError(f"{name} is empty")
            value = storable(given)
            if len(value.encode()) > MAX_NAME_BYTES:
                raise ValueError(f"{name} is longer than {MAX_NAME_BYTES} bytes")
            if value is not given:
                object.__setattr__(self, name, value)
        if not self.body_sha256:
            object.__setattr__(self, "body_sha256", hashlib.sha256(self.body).digest())

    @property
    def key(self) -> DeliveryKey:
        """The unique key of `raw_payloads`: deliveries with the same key are the same delivery.

        The secret that verified it is part of the key, so that no organisation can hide another's
        delivery by sending its id first; two valid secrets of one setting (`env:NAME`, `env:NAME#2`)
        count as one. So is the event's name, which is not signed: somebody who resends a delivery with
        a wrong name must not hide the provider's own.
        """
        return (
            self.provider,
            self.delivery_id,
            self.event_type,
            self.body_sha256,
            self.org_id,
            self.verified_by.partition("#")[0],
        )


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates replaced by U+FFFD; the same object if it has none."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
        return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def partition_date_of(when: datetime, *, start: date, now: datetime) -> date:
    """The daily partition for the time `when`: its UTC day, within [start, today].

    `when` is the time of receipt of a webhook, the event's time of a record of an API's history, the
    `received_at` of a file's line. Raises ValueError for a time without a time zone.
    """
    if when.tzinfo is None or now.tzinfo is None:
        raise ValueError("a time without a time zone belongs to no day")
    return max(start, min(when.astimezone(UTC).date(), now.astimezone(UTC).date()))


# Bodies stay in their array and are picked by position; as a column of `arrived` they would be copied
# through a tuplestore. The insert names no conflict target and returns no id, because an insert-only
# role may do neither; the ids are found through the unique key, whose org_id may be null. Rows are
# ordered by key, so that two writers of the same deliveries lock them in the same order.
# No time of receipt is later than the database's clock: a machine whose clock is ahead would otherwise
# put deliveries into a future day, which no run captures.
_TEMPLATE = """
WITH arrived AS MATERIALIZED (
  SELECT
    nextval('lightfast.raw_payloads_id_seq') AS id, a.provider, a.delivery_id, a.body_sha256, a.org_id,
    a.event_type, a.ingestion_source, least(a.received_at, statement_timestamp()) AS received_at,
    least(a.partition_date, (statement_timestamp() AT TIME ZONE 'UTC')::date) AS partition_date,
    a.verified_by, a.headers, a.position
  FROM unnest(
    {}::text[], {}::text[], {}::bytea[], {}::text[], {}::text[], {}::text[], {}::timestamptz[],
    {}::date[], {}::text[], {}::text[]
  ) WITH ORDINALITY AS a (
    provider, delivery_id, body_sha256, org_id, event_type, ingestion_source, received_at,
    partition_date, verified_by, headers, position
  )
), stored AS (
  INSERT INTO lightfast.raw_payloads (
    id, org_id, provider, delivery_id, body_sha256, event_type, ingestion_source, received_at,
    partition_date, verified_by
  )
  SELECT
    id, org_id, provider, delivery_id, body_sha256, event_type, ingestion_source, received_at,
    partition_date, verified_by
  FROM arrived
  ORDER BY provider, delivery_id, event_type, body_sha256, org_id, verified_by
  ON CONFLICT DO NOTHING
  RETURNING provider, delivery_id, event_type, body_sha256, org_id, verified_by
), fresh AS MATERIALIZED (
  SELECT a.id, a.received_at, a.partition_date, a.headers, a.position
  FROM arrived a
  JOIN stored s
    ON s.delivery_id = a.delivery_id AND s.body_sha256 = a.body_sha256
    AND s.provider = a.provider AND s.org_id IS NOT DISTINCT FROM a.org_id
    AND s.verified_by = a.verified_by AND s.event_type = a.event_type
), bodies AS (
  INSERT INTO lightfast.raw_bodies (raw_payload_id, received_at, body, headers)
  SELECT id, received_at, ({}::bytea[])[position], headers::jsonb FROM fresh
), queued AS (
  INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
  SELECT id, partition_date FROM fresh
)
SELECT position::integer FROM fresh
"""

INSERT_SQL = _TEMPLATE.format(*(f"${number}" for number in range(1, 12)))
"""For asyncpg: takes `columns(batch)`, returns the positions (from 1) of the new deliveries.

Needs INSERT on raw_payloads, raw_bodies and raw_queue, SELECT on the unique key's columns, and USAGE on
the sequence. No two deliveries of the batch may have the same key.
"""

_PSYCOPG_SQL = _TEMPLATE.format(*("%b" if number in {2, 10} else "%s" for number in range(11)))


def columns(batch: Sequence[Delivery]) -> tuple[list[Any], ...]:
    """The statement's parameters: one array per column."""
    return (
        [d.provider for d in batch],
        [d.delivery_id for d in batch],
        [d.body_sha256 for d in batch],
        [d.org_id for d in batch],
        [d.event_type for d in batch],
        [d.ingestion_source for d in batch],
        [d.received_at for d in batch],
        [d.partition_date for d in batch],
        [d.verified_by for d in batch],
        [_headers_json(d.headers) for d in batch],
        [d.body for d in batch],
    )


def distinct(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The first delivery of each key, in order."""
    first_by_key: dict[DeliveryKey, Delivery] = {}
    for delivery in deliveries:
        first_by_key.setdefault(delivery.key, delivery)
    return list(first_by_key.values())


def insert_deliveries(conn: psycopg.Connection[Any], deliveries: Iterable[Delivery]) -> int:
    """Stores the deliveries that are not stored yet and returns their number. The caller commits.

    Holds one chunk in memory at a time, so `deliveries` may be a long generator.
    """
    new = 0
    for chunk in _chunks(deliveries):
        move_start_back(conn, min(delivery.partition_date for delivery in chunk))
        new += len(conn.execute(_PSYCOPG_SQL, columns(chunk)).fetchall())
    return new


def _chunks(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    chunk: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if chunk and (len(chunk) == CHUNK_ROWS or size + len(delivery.body) > CHUNK_BYTES):
            yield distinct(chunk)
            chunk, size = [], 0
        chunk.append(delivery)
        size += len(delivery.body)
    if chunk:
        yield distinct(chunk)


def _headers_json(headers: Mapping[str, str]) -> str:
    # Checked together: the headers of providers are ASCII.
    together = "".join([*headers, *headers.values()])
    if together.isascii() and "\0" not in together:
        return msgspec.json.encode(dict(headers)).decode()
    return msgspec.json.encode({storable(n): storable(v) for n, v in headers.items()}).decode()
