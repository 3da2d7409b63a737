"""Sentry as the receiver and capture see it: which part of this folder answers which question.

What an event means stands in the module named after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.domain.events import Parked, Reading, Route
from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.fields import Missing, time
from lightfast_pipelines.providers.sentry import place
from lightfast_pipelines.providers.sentry.webhooks import (
    activity_alert,
    alert,
    comment,
    error,
    installation,
    issue,
    seer,
    shape,
    signature,
)
from lightfast_pipelines.providers.webhook_contract import (
    RECEIVED_AT,
    Accepted,
    EventRule,
    MalformedBody,
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
# Clocks of sender and receiver may differ; a file can tell a header of any time.
_CLOCKS_APART = timedelta(days=1)


class Sentry:
    """`contract.Provider` for sentry.io and Sentry on one's own servers."""

    name = "sentry"
    rule_version = 6
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
        """Nothing of a delivery is looked at before its signature is known to be good.

        The signature covers neither the resource nor the id nor the time, which are headers: so a
        resource that the body contradicts is refused, and no two bodies share an id's row. Without
        `Request-ID` the id is the body's hash. Sentry makes a new id and time for each of its tries.
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
            told = shape.resource_in(body)
        except MalformedBody as found:
            return Refused(400, str(found))
        event = resource.strip()
        if told is not None and event in shape.RESOURCES and told != event:
            return Refused(400, f"header Sentry-Hook-Resource does not fit a body about {told}")
        return Accepted(request.strip() or hashlib.sha256(body).hexdigest(), event, verified_by)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """The payload, with the header's time under `shape.SENT_AT`. Raises MalformedBody.

        Most bodies do not say when what they tell happened: the time of sending is the nearest to it.
        """
        payload = json_body.payload(body)
        payload.pop(shape.SENT_AT, None)
        payload.pop(shape.RECEIVED_AT, None)
        sent_at = signature.sent_at(headers.get(signature.TIMESTAMP))
        received = time(headers, RECEIVED_AT)
        if sent_at is not None and received is not None and sent_at > received + _CLOCKS_APART:
            sent_at = received  # nothing signs the header, and nothing is sent after it is received
        if sent_at is not None:
            payload[shape.SENT_AT] = sent_at.timestamp()
        if RECEIVED_AT in headers:
            payload[shape.RECEIVED_AT] = headers[RECEIVED_AT]
        return payload

    def route(
        self,
        event_type: str,  # the body says what it is about
        payload: Mapping[str, Any],
    ) -> Route | None:
        """By the project, else by the installation; a comment through its issue."""
        return place.route(payload)

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        """For any payload of `decode`: statements, or why there are none. Does not raise."""
        reader = _READERS.get(event_type)
        if reader is None:
            return Parked(f"event {event_type[:100]} is not known yet")
        told = shape.resource_of(payload)
        if told != event_type:
            what = "of no known form" if told is None else f"about {told}"
            return Parked(f"event {event_type} does not fit its body, which is {what}")
        try:
            return reader(payload)
        except Missing as missing:
            return Parked(f"{event_type}: {missing}")

    def resource_id(self, given: str) -> str:
        """A project's number, ORG/PROJECT, or an installation's UUID. A project's slug alone may be
        another organisation's too, as a number may be another server's."""
        found = given.strip().lower()
        if place.RESOURCE_ID.fullmatch(found):
            return found
        raise ValueError(
            "Sentry's webhooks name a project by its number (the end of its DSN) or ORG/PROJECT, each with "
            "@HOST behind it where your Sentry is not sentry.io, and an installation by its UUID"
        )

    def sync_event(
        self,
        event_type: str,
        payload: Mapping[str, Any],  # the resource names the kind
    ) -> str:
        """Sentry's own names of resources, whatever the action."""
        return event_type
