"""Sentry's implementation of `Provider`: verifies, decodes, routes and reads its webhooks.

Each kind of event is read by the module named after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.domain.events import Parked, Reading, Route
from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.fields import Missing, time
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.sentry import place
from lightfast_pipelines.providers.sentry.webhooks import (
    activity_alert,
    alert,
    comment,
    error,
    installation,
    issue,
    seer,
    signature,
)
from lightfast_pipelines.providers.sentry.webhooks import claimed_event as shape
from lightfast_pipelines.providers.webhook_contract import (
    RECEIVED_AT,
    Accepted,
    EventRule,
    Provider,
    Refused,
    Secret,
)
from lightfast_pipelines.settings import settings

_READERS: Mapping[str, Callable[[Mapping[str, Any]], Reading]] = {
    "activity_alert": activity_alert.read,
    "comment": comment.read,
    "error": error.read,
    "event_alert": alert.read_event_alert,
    "installation": installation.read,
    "issue": issue.read,
    "metric_alert": alert.read_metric_alert,
    "seer": seer.read,
}
_RULES = (
    *issue.RULES,
    *error.RULES,
    *alert.RULES,
    *activity_alert.RULES,
    *seer.RULES,
    *comment.RULES,
    *installation.RULES,
)
_LONGEST_HEADER = 200
# Clocks of sender and receiver may differ; an ingested file may claim any time in a header.
_CLOCK_DIFFERENCE = timedelta(days=1)


class Sentry(Provider):
    """sentry.io and self-hosted Sentry."""

    name = "sentry"
    rule_version = 7
    default_events = frozenset(rule.event for rule in _RULES if rule.outcome == "delivered")
    events: Sequence[EventRule] = _RULES
    kept_headers = frozenset(
        {
            "content-type",
            "user-agent",
            "request-id",
            "sentry-hook-resource",
            "sentry-hook-signature",
            "sentry-hook-timestamp",
        }
    )
    secret_settings: Sequence[str] = ("SENTRY_CLIENT_SECRET",)

    def accept(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[Secret],
        *,
        now: datetime,
    ) -> Accepted | Refused:
        """Checks the signature before anything else.

        The signature covers neither the resource nor the id nor the time, as these are headers: so we
        refuse a resource that the body contradicts, and two bodies under one id are two deliveries.
        Without `Request-ID` the id is the body's hash. Sentry sends a new id and time with each retry.
        """
        verified_by = signature.verified_by(body, headers.get(signature.HEADER), secrets)
        if verified_by is None:
            return Refused(401, "signature missing or not valid")
        resource, request = headers.get("sentry-hook-resource", ""), headers.get("request-id", "")
        sent = headers.get(signature.TIMESTAMP, "")
        for name, value in (("Sentry-Hook-Resource", resource), ("Sentry-Hook-Timestamp", sent)):
            if not value.strip():
                return Refused(400, f"header {name} is missing")
        for name, value in (("Sentry-Hook-Resource", resource), ("Request-ID", request)):
            if len(value) > _LONGEST_HEADER or not value.isprintable():
                return Refused(400, f"header {name} is not of Sentry's form")
        sent_at = signature.sent_at(sent)
        if sent_at is None:
            return Refused(400, "header Sentry-Hook-Timestamp is not of Sentry's form")
        tolerance = timedelta(seconds=settings().sentry_timestamp_tolerance_seconds)
        if abs(now - sent_at) > tolerance:
            return Refused(401, "Sentry-Hook-Timestamp is too far from now")
        try:
            body_resource = shape.resource_in(body)
        except MalformedBody as malformed:
            return Refused(400, str(malformed))
        event = resource.strip()
        if event in shape.RESOURCES and body_resource not in (None, event):
            message = f"header Sentry-Hook-Resource does not fit a body about {body_resource}"
            return Refused(400, message)
        return Accepted(request.strip() or hashlib.sha256(body).hexdigest(), event, verified_by)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """Adds the header's time as `shape.SENT_AT`: most bodies do not say when something happened, and
        the time of sending is the nearest to it. Raises MalformedBody."""
        payload = json_body.payload(body)
        payload.pop(shape.SENT_AT, None)
        payload.pop(shape.RECEIVED_AT, None)
        sent_at = signature.sent_at(headers.get(signature.TIMESTAMP))
        received = time(headers, RECEIVED_AT)
        if sent_at is not None and received is not None and sent_at > received + _CLOCK_DIFFERENCE:
            sent_at = received  # the header is not signed, and nothing is sent after it is received
        if sent_at is not None:
            payload[shape.SENT_AT] = sent_at.timestamp()
        if RECEIVED_AT in headers:
            payload[shape.RECEIVED_AT] = headers[RECEIVED_AT]
        return payload

    def route(self, event_type: str, payload: Mapping[str, Any]) -> Route | None:
        """By the project, else by the installation; a comment follows its issue."""
        return place.route(payload)

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        reader = _READERS.get(event_type)
        if reader is None:
            return Parked(f"event {event_type[:100]} is not known yet")
        body_resource = shape.resource_of(payload)
        if body_resource != event_type:
            what = "of no known form" if body_resource is None else f"about {body_resource}"
            return Parked(f"event {event_type} does not fit its body, which is {what}")
        try:
            return reader(payload)
        except Missing as missing:
            return Parked(f"{event_type}: {missing}")

    def resource_id(self, given: str) -> str:
        """A project's number, ORG/PROJECT, or an installation's UUID. A project's slug alone may also
        exist in another organization, and a number on another server."""
        resource_id = given.strip().lower()
        if place.RESOURCE_ID.fullmatch(resource_id):
            return resource_id
        raise ValueError(
            "Sentry's webhooks name a project by its number (the end of its DSN) or ORG/PROJECT, each with "
            "@HOST behind it where your Sentry is not sentry.io, and an installation by its UUID"
        )
