"""Loads raw payloads and lets their provider read them: bytes in, a reading or an error out.

What the reading becomes in which workspace is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from lightfast_pipelines.domain.events import IngestionSource, Parked, Reading, Route
from lightfast_pipelines.domain.secrets.masking import mask
from lightfast_pipelines.inbox.faults import describe_error, is_fault_of_payload
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import FIRST_SENT_AT, RECEIVED_AT
from lightfast_pipelines.store.database import Connection

# Bodies of one batch are in memory at once: 25 MiB each would otherwise add up to gigabytes.
BATCH_BYTES = 48 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawPayload:
    """A row of raw_payloads with its bytes; `body` is None where retention has dropped them."""

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
        """When that happened which a body without a time of its own tells: at its receipt, or when the
        provider sent it at first, where that is known of what was read from its log afterwards."""
        sent = self.headers.get(FIRST_SENT_AT) if self.ingestion_source == "api" else None
        return self.received_at if sent is None else datetime.fromisoformat(sent)


@dataclass(frozen=True, slots=True)
class ReadPayload:
    """A payload after its provider has read it: a reading, or the error that reading raised."""

    raw: RawPayload
    reading: Reading | None
    route: Route | None
    sync_event: str
    rule_version: int
    error: str | None = None

    @property
    def installation(self) -> tuple[str, str] | None:
        """The installation (provider, the provider's id) that the payload names as its own."""
        if self.route is None or self.route.installation_id is None:
            return None
        return self.raw.provider, self.route.installation_id


_COLUMNS = """
    p.id, p.org_id, p.provider, p.delivery_id, p.body_sha256, p.event_type, p.ingestion_source,
    p.received_at, p.partition_date, p.verified_by, b.body, b.headers
"""


def load(conn: Connection, ids: Mapping[int, int]) -> list[RawPayload]:
    """The payloads with these ids (id -> attempts so far), in order of their ids."""
    if not ids:
        return []
    found = conn.execute(
        f"""
        SELECT {_COLUMNS} FROM lightfast.raw_payloads p
        LEFT JOIN lightfast.raw_bodies b
          ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE p.id = ANY(%s) ORDER BY p.id
        """,
        (list(ids),),
        binary=True,
    )
    return [RawPayload(*(*row[:11], row[11] or {}, ids[row[0]])) for row in found]


def read(raw: RawPayload) -> ReadPayload:
    """What the provider raises becomes `error`. Secrets in its texts are masked.

    Raises only what the payload may not be to blame for: no memory, no file, no time left.
    """
    provider = discover().get(raw.provider)
    if provider is None:
        parked = Parked(f"provider {raw.provider!r} is not known here")
        return ReadPayload(raw, parked, None, raw.event_type, 0)
    if raw.body is None:
        return ReadPayload(raw, None, None, raw.event_type, provider.rule_version, "body is gone")
    try:
        headers = {**raw.headers, RECEIVED_AT: raw.dated.isoformat()}
        payload = provider.decode(raw.body, headers)
        return ReadPayload(
            raw,
            mask(provider.read(raw.event_type, payload)),
            mask(provider.route(raw.event_type, payload)),
            provider.sync_event(raw.event_type, payload),
            provider.rule_version,
        )
    except Exception as error:
        if not is_fault_of_payload(error):
            raise
        return unreadable(raw, describe_error(error))


def routed(raw: RawPayload) -> ReadPayload | None:
    """Where the payload belongs and no more than that, so that it states no name. None where it cannot
    be read."""
    provider = discover().get(raw.provider)
    if provider is None or raw.body is None:
        return None
    try:
        payload = provider.decode(raw.body, {**raw.headers, RECEIVED_AT: raw.dated.isoformat()})
        route = provider.route(raw.event_type, payload)
    except Exception:  # whoever captures it tells what is wrong with it
        return None
    route = None if route is None else replace(route, names=())
    return ReadPayload(raw, None, route, raw.event_type, provider.rule_version)


def unreadable(raw: RawPayload, reason: str) -> ReadPayload:
    """It could not be captured for this reason; where it belongs is known where that can be read."""
    found = routed(raw)
    if found is None:
        provider = discover().get(raw.provider)
        version = provider.rule_version if provider else 0
        return ReadPayload(raw, None, None, raw.event_type, version, reason)
    return replace(found, route=mask(found.route), error=reason)
