"""Reads payloads: turns bytes into what their provider understands, or the error that it raised.

Secrets are masked here, so that no text of a payload goes on unmasked. `routing.py` decides what a reading
becomes in each workspace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from msgspec import structs

from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.domain.events import Parked, Reading, Route
from lightfast_pipelines.domain.secrets.masking import mask
from lightfast_pipelines.inbox.faults import describe_error, is_fault_of_payload
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import RECEIVED_AT


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

    def without_bytes(self) -> ReadPayload:
        """The same without the bytes that were read; a body that is gone stays gone."""
        body = None if self.raw.body is None else b""
        return replace(self, raw=replace(self.raw, body=body, headers={}))


def read_payloads(raws: Iterable[RawPayload]) -> list[ReadPayload]:
    """Has each payload's provider read it; an error that the provider raises becomes `error`.

    Raises only errors that may not be the payload's fault: no memory, no file, no time left.
    """
    return [_read(raw) for raw in raws]


def _read(raw: RawPayload) -> ReadPayload:
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


def read_route(raw: RawPayload) -> ReadPayload | None:
    """The payload with only its route, without the names in it; None if it cannot be read."""
    provider = discover().get(raw.provider)
    if provider is None or raw.body is None:
        return None
    try:
        payload = provider.decode(raw.body, {**raw.headers, RECEIVED_AT: raw.dated.isoformat()})
        route = provider.route(raw.event_type, payload)
    except Exception:  # the error is kept once the payload is captured
        return None
    route = None if route is None else structs.replace(route, names=())
    return ReadPayload(raw, None, route, raw.event_type, provider.rule_version)


def unreadable(raw: RawPayload, reason: str) -> ReadPayload:
    """A payload that could not be captured for this reason, with its route if that can be read."""
    payload = read_route(raw)
    if payload is None:
        provider = discover().get(raw.provider)
        version = provider.rule_version if provider else 0
        return ReadPayload(raw, None, None, raw.event_type, version, reason)
    return replace(payload, route=mask(payload.route), error=reason)
