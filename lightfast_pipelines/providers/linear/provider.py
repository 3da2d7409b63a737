"""Linear's implementation of `Provider`: verifies, decodes, routes and reads its webhooks.

Each kind of event is read by the module named after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from lightfast_pipelines.domain.events import Filtered, Parked, Reading, Route
from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.fields import Missing, name_of
from lightfast_pipelines.providers.linear.webhooks import (
    comments,
    cycles,
    deadlines,
    documents,
    initiatives,
    issues,
    labels,
    lifecycle,
    needs,
    projects,
    relations,
    releases,
    routes,
    signature,
    transitions,
)
from lightfast_pipelines.providers.linear.webhooks.event import UnknownAction, event_of
from lightfast_pipelines.providers.linear.webhooks.transitions import EntityKind
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import (
    Accepted,
    EventRule,
    Provider,
    Refused,
    Secret,
)
from lightfast_pipelines.settings import settings

_KINDS: Mapping[str, EntityKind] = {
    "Issue": issues.ISSUE,
    "Comment": comments.COMMENT,
    "Reaction": comments.REACTION,
    "Attachment": comments.ATTACHMENT,
    "Project": projects.PROJECT,
    "ProjectUpdate": projects.PROJECT_UPDATE,
    "Cycle": cycles.CYCLE,
    "IssueLabel": labels.LABEL,
    "Initiative": initiatives.INITIATIVE,
    "InitiativeUpdate": initiatives.INITIATIVE_UPDATE,
    "Document": documents.DOCUMENT,
    "Release": releases.RELEASE,
    "ReleaseNote": releases.RELEASE_NOTE,
    "CustomerNeed": needs.NEED,
    "IssueRelation": relations.RELATION,
}
# Their payloads have no `data`.
_WITHOUT_ENTITY: Mapping[str, Callable[[Mapping[str, Any]], Reading]] = {
    "IssueSLA": deadlines.read,
    "OAuthApp": lifecycle.read_application,
    "PermissionChange": lifecycle.read_permissions,
}
_NOT_KEPT = {
    "AppUserNotification": "it repeats other events to the application",
    "OAuthAuthorization": "one person's permission is not the organization's",
}
_RULES = (
    *(rule for event, kind in _KINDS.items() for rule in transitions.rules(event, kind)),
    *deadlines.RULES,
    *lifecycle.RULES,
    *(EventRule(event, None, "filtered", note=why) for event, why in _NOT_KEPT.items()),
)
_LONGEST_HEADER = 200


class _LinearEnvelope(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    webhookTimestamp: msgspec.Raw = msgspec.Raw()  # noqa: N815 - Linear's name


_ENVELOPE = msgspec.json.Decoder(_LinearEnvelope)


class Linear(Provider):
    name = "linear"
    rule_version = 10
    default_events = frozenset((*_KINDS, "IssueSLA"))
    events: Sequence[EventRule] = _RULES
    kept_headers = frozenset(
        {"content-type", "user-agent", "linear-delivery", "linear-event", signature.HEADER}
    )
    secret_settings: Sequence[str] = ("LINEAR_WEBHOOK_SIGNING_SECRET",)

    def __init__(self, tolerance_seconds: float | None = None) -> None:
        """`tolerance_seconds`: how old the signed time may be; None: as set in the settings."""
        self._tolerance_seconds = tolerance_seconds

    def accept(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[Secret],
        *,
        now: datetime,
    ) -> Accepted | Refused:
        """Checks the signature, then that the body parses, then the signed time, then names and ids."""
        verified_by = signature.verified_by(body, headers.get(signature.HEADER), secrets)
        if verified_by is None:
            return Refused(401, "signature missing or not valid")
        try:
            fields = json_body.fields(body, _ENVELOPE)
        except MalformedBody as error:
            return Refused(400, str(error))
        envelope = {
            "type": json_body.plain(fields.type),
            "webhookTimestamp": json_body.plain(fields.webhookTimestamp),
        }
        reason = signature.why_untimely(envelope, now, self._tolerance())
        if reason is not None:
            return Refused(401, reason)
        event = (name_of(envelope, "type") or "").strip()
        if not _is_word(event):
            return Refused(400, "expected the event's name in the body's `type`")
        header_event = headers.get("linear-event", "").strip()
        if header_event and header_event != event:
            return Refused(400, "header Linear-Event is not the body's `type`")
        delivery = headers.get("linear-delivery", "").strip()
        if delivery and not _is_word(delivery):
            return Refused(400, "header Linear-Delivery is not of Linear's form")
        return Accepted(delivery or sha256(body).hexdigest(), event, verified_by)

    def _tolerance(self) -> float:
        if self._tolerance_seconds is not None:
            return self._tolerance_seconds
        return settings().linear_timestamp_tolerance_seconds

    def route(self, event_type: str, payload: Mapping[str, Any]) -> Route | None:
        """By team, project or organization, otherwise by the thing that the payload is about."""
        return routes.route(event_type, payload)

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        body_type = payload.get("type")
        if isinstance(body_type, str) and body_type != event_type:
            return Parked(f"event {event_type[:100]} does not fit the body's {body_type[:100]}")
        if event_type in _NOT_KEPT:
            return Filtered(f"event {event_type} is not kept: {_NOT_KEPT[event_type]}")
        try:
            if event_type in _WITHOUT_ENTITY:
                return _WITHOUT_ENTITY[event_type](payload)
            kind = _KINDS.get(event_type)
            if kind is None:
                return Parked(f"event {event_type[:100]} is not known yet")
            return transitions.read(kind, event_of(event_type, payload))
        except (Missing, UnknownAction) as unknown:
            return Parked(f"{event_type}: {unknown}")

    def resource_id(self, given: str) -> str:
        """The UUID of a team, a project or the organization. A key such as ENG may change."""
        try:
            return str(UUID(given.strip()))
        except ValueError:
            pass
        raise ValueError(
            "Linear's webhooks name a team, a project or the organization by its UUID: "
            '"Copy model UUID" in Linear\'s command menu gives it'
        )


def _is_word(value: str) -> bool:
    return 0 < len(value) <= _LONGEST_HEADER and value.isprintable()
