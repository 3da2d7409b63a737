"""`IssueSLA`: the deadline that a service-level agreement sets for an issue, and that it is at risk or missed.

`issue.sla-set`, `issue.sla-at-risk`, `issue.sla-breached`, and the state `sla` of the issue: running,
at_risk, breached. The event's own time dates it: the issue in it is as it was before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain.events import Reading, StateChange, Understood
from lightfast_pipelines.providers.fields import Missing, content_of, needed_child, text, time
from lightfast_pipelines.providers.linear.webhooks.event import (
    LinearEvent,
    UnknownAction,
    needed_id,
)
from lightfast_pipelines.providers.linear.webhooks.issues import describe
from lightfast_pipelines.providers.linear.webhooks.things import line
from lightfast_pipelines.providers.linear.webhooks.transitions import statement_of
from lightfast_pipelines.providers.webhook_contract import EventRule

# Action -> transition, tag, value of the state, weight.
_ACTIONS = {
    "set": ("sla-set", "SLA Set", "running", 25),
    "highRisk": ("sla-at-risk", "SLA At Risk", "at_risk", 50),
    "breached": ("sla-breached", "SLA Breached", "breached", 65),
}
_OWN_TIMES = {"set": "slaStartedAt", "highRisk": "slaHighRiskAt", "breached": "slaBreachesAt"}


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an issue or a time, UnknownAction for any other action."""
    action = text(payload, "action")
    if action not in _ACTIONS:
        raise UnknownAction(f"action {str(action)[:100]} is not known yet")
    transition, tag, value, weight = _ACTIONS[action]
    data = needed_child(payload, "issueData")
    at = time(payload, "createdAt") or time(data, _OWN_TIMES[action])
    if at is None:
        raise Missing("createdAt")
    event = LinearEvent(payload, data, needed_id(data, "id"), "update")
    described = describe(event)
    breaches = text(data, "slaBreachesAt")
    statement = statement_of("issue", event, described, transition, at, tag)
    subject, facts = described.builder.subject, {"breachesAt": breaches}
    return Understood(
        (
            replace(
                statement,
                content=content_of(line("Breaches", breaches), *described.content),
                base_significance=weight,
                states=(StateChange(subject, "sla", value, at, 0, transition, facts),),
                metadata={
                    **statement.metadata,
                    "action": action,
                    "slaType": text(data, "slaType"),
                    "slaStartedAt": text(data, "slaStartedAt"),
                    "slaHighRiskAt": text(data, "slaHighRiskAt"),
                    "slaBreachesAt": breaches,
                },
            ),
        )
    )


RULES: Sequence[EventRule] = tuple(
    EventRule("IssueSLA", action, "delivered", (f"issue.{transition}",))
    for action, (transition, *_) in _ACTIONS.items()
)
