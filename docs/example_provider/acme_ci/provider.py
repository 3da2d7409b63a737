"""Acme CI's `Provider`: accepts, routes and reads its deliveries."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lightfast_pipelines.domain.events import (
    Filtered,
    Lifecycle,
    LifecycleEvent,
    Parked,
    Reading,
    Route,
)
from lightfast_pipelines.providers import json_body, signing
from lightfast_pipelines.providers.acme_ci import build
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import (
    Accepted,
    EventRule,
    Provider,
    Refused,
    Secret,
)
from lightfast_pipelines.providers.fields import Missing, child, name_of, needed_child, time

_SIGNATURE, _DELIVERY = "x-acme-signature", "x-acme-delivery"
_PREFIX = "sha256="
_QUEUED = "it says nothing that the end of the build does not say"

_RULES = (
    EventRule("build.finished", None, "delivered", ("build.passed", "build.failed")),
    EventRule("build.queued", None, "filtered", note=_QUEUED),
    EventRule("project.deleted", None, "lifecycle", note="the project is removed"),
)


class _Envelope(msgspec.Struct):
    event: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(_Envelope)


class AcmeCi(Provider):
    """The `Provider` for the imaginary acme-ci.example."""

    name = "acme_ci"
    rule_version = 1
    default_events = frozenset({"build.finished"})
    events: Sequence[EventRule] = _RULES
    kept_headers = frozenset({"content-type", _DELIVERY, _SIGNATURE})
    # The environment variable that holds the secret, or two separated by a comma while rotating.
    secret_settings: Sequence[str] = ("ACME_CI_WEBHOOK_SECRET",)

    def accept(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[Secret],
        *,
        now: datetime,  # Acme signs no time
    ) -> Accepted | Refused:
        """Verifies the signature before anything else of the delivery is read."""
        signature = headers.get(_SIGNATURE, "")
        digits = signature.removeprefix(_PREFIX) if signature.startswith(_PREFIX) else None
        verified_by = signing.signer(body, digits, secrets, "sha256")
        if verified_by is None:
            return Refused(401, "signature missing or not valid")
        try:
            fields = json_body.fields(body, _ENVELOPE)
        except MalformedBody as error:
            return Refused(400, str(error))
        # The event's name comes from the signed body: anybody could write a header.
        event = name_of({"event": json_body.plain(fields.event)}, "event")
        if event is None:
            return Refused(400, "field event is missing")
        # Acme repeats a delivery under the same id; without an id, the same bytes are the same delivery.
        delivery = headers.get(_DELIVERY) or hashlib.sha256(body).hexdigest()
        return Accepted(delivery, event, verified_by)

    def route(
        self,
        event_type: str,  # every payload of Acme names its project
        payload: Mapping[str, Any],
    ) -> Route | None:
        """By the project's id, which survives a rename."""
        project = child(payload, "project")
        identity = name_of(project, "id")
        if identity is None:
            return None
        meta = {"default_branch": name_of(project, "default_branch")}
        return Route(
            f"acme_ci:project:{identity}",
            identity,
            name_of(project, "name"),
            resource_meta={key: value for key, value in meta.items() if value},
        )

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        """Statements for any payload of `decode`, or why there are none. Does not raise."""
        try:
            if event_type == "build.finished":
                return build.read(payload)
            if event_type == "build.queued":
                return Filtered(f"event build.queued is not kept: {_QUEUED}")
            if event_type == "project.deleted":
                return _deleted(payload)
        except Missing as missing:
            return Parked(f"{event_type}: {missing}")
        return Parked(f"event {event_type[:100]} is not known yet")

    def resource_id(self, given: str) -> str:
        """A project's id, which survives a rename."""
        identity = given.strip()
        if not re.fullmatch(r"p-\d+", identity):
            raise ValueError("Acme CI's webhooks name a project by its id, p-NUMBER")
        return identity


def _deleted(payload: Mapping[str, Any]) -> Reading:
    identity = name_of(needed_child(payload, "project"), "id")
    if identity is None:
        raise Missing("project.id")
    at = time(payload, "sent_at")
    gone = LifecycleEvent("resource", identity, "removed", at, "Acme CI: project deleted")
    return Lifecycle((gone,), "project.deleted")
