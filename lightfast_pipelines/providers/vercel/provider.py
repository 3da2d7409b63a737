"""Vercel's implementation of `Provider`: verifies, decodes, routes and reads its webhooks.

Each type of event is read by the module named after its subject.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lightfast_pipelines.domain.events import Filtered, Parked, Reading, Route
from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.fields import Missing, child, name_of
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.vercel import keys as vercel_keys
from lightfast_pipelines.providers.vercel.webhooks import (
    alert,
    configuration,
    deployment,
    outcomes,
    project,
    rolling_release,
    signature,
    switches,
)
from lightfast_pipelines.providers.vercel.webhooks.event import (
    VercelEvent,
    current_type,
    deployment_id,
    event_of,
    installation_id,
    project_id,
    project_name,
)
from lightfast_pipelines.providers.webhook_contract import (
    Accepted,
    EventRule,
    Provider,
    Refused,
    Secret,
)

_READERS: Mapping[str, Callable[[VercelEvent], Reading]] = {
    **dict.fromkeys(sorted(deployment.TYPES), deployment.read),
    **dict.fromkeys(sorted(project.TYPES), project.read),
    **dict.fromkeys(sorted(rolling_release.TYPES), rolling_release.read),
    **dict.fromkeys(sorted(switches.TYPES), switches.read),
    **dict.fromkeys(sorted(alert.TYPES), alert.read),
    **dict.fromkeys(sorted(configuration.TYPES), configuration.read),
}
_RULES = (
    *deployment.RULES,
    *project.RULES,
    *rolling_release.RULES,
    *switches.RULES,
    *alert.RULES,
    *configuration.RULES,
    *outcomes.RULES,
)
_LONGEST_FIELD = 200
# The ids of the oldest projects are hashes (Qm...).
_RESOURCE_ID = re.compile(r"(prj|team|icfg)_\w{3,100}|Qm\w{44}", re.ASCII)


class _VercelEnvelope(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(_VercelEnvelope)


class Vercel(Provider):
    """vercel.com, as an integration or a team's own webhook."""

    name = "vercel"
    rule_version = 8
    default_events = frozenset(rule.event for rule in _RULES if rule.outcome == "delivered")
    events: Sequence[EventRule] = _RULES
    kept_headers = frozenset({"content-type", "user-agent", "x-vercel-id", "x-vercel-signature"})
    secret_settings: Sequence[str] = ("VERCEL_CLIENT_INTEGRATION_SECRET",)

    def accept(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[Secret],
        *,
        now: datetime,
    ) -> Accepted | Refused:
        """Checks the signature before anything else; Vercel signs no time of sending.

        The delivery's id is the body's, which stays the same when Vercel sends it again (the header
        x-vercel-id does not), else the hash of the body.
        """
        verified_by = signature.verified_by(body, headers.get(signature.HEADER), secrets)
        if verified_by is None:
            return Refused(401, "signature missing or not valid")
        try:
            fields = json_body.fields(body, _ENVELOPE)
        except MalformedBody as error:
            return Refused(400, str(error))
        event = _short(json_body.plain(fields.type))
        if event is None:
            return Refused(400, "field type is missing or not of Vercel's form")
        delivery = _short(json_body.plain(fields.id)) or hashlib.sha256(body).hexdigest()
        return Accepted(delivery, event, verified_by)

    def route(self, event_type: str, payload: Mapping[str, Any]) -> Route | None:
        """By the project or its team, else by the deployment, else by the installation."""
        inner = child(payload, "payload")
        installation, identity = installation_id(inner), project_id(inner)
        team = name_of(child(inner, "team"), "id") or name_of(inner, "teamId")
        team_key = f"vercel:team:{team}"
        if identity is not None:
            return Route(
                vercel_keys.project(identity),
                identity,
                project_name(inner),
                installation,
                alternatives=((team_key, team),) if team else (),
            )
        deployed = deployment_id(inner)
        via = vercel_keys.deployment(deployed) if deployed else None
        if team is not None:
            return Route(team_key, team, None, installation, via=via, by_hand=True)
        if installation is not None:
            key = f"vercel:installation:{installation}"
            return Route(key, installation, None, installation, via=via, by_hand=True)
        if deployed is not None and via is not None:
            return Route(via, deployed, via=via, by_hand=True)
        return None

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        body_type = payload.get("type")
        if isinstance(body_type, str) and body_type != event_type:
            return Parked(f"event {event_type[:100]} does not fit the body's {body_type[:100]}")
        current = current_type(event_type)
        reader = _READERS.get(current)
        if reader is None:
            why = outcomes.why_filtered(current)
            if why is None:
                return Parked(f"event {current[:100]} is not known yet")
            return Filtered(f"event {current[:100]} is not kept: {why}")
        try:
            return reader(event_of(event_type, payload))
        except Missing as missing:
            return Parked(f"{event_type[:100]}: {missing}")

    def resource_id(self, given: str) -> str:
        """A project's or a team's id. A name would not survive a rename."""
        resource_id = given.strip()
        if _RESOURCE_ID.fullmatch(resource_id):
            return resource_id
        raise ValueError(
            "Vercel's webhooks name a project by its id (prj_...) and a team by its own (team_...): "
            "Settings, General of either shows it"
        )

    def sync_event(self, event_type: str, payload: Mapping[str, Any]) -> str:
        """The type as Vercel spells it today."""
        return current_type(event_type)


def _short(value: object) -> str | None:
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value.strip() if 0 < len(value.strip()) <= _LONGEST_FIELD else None
