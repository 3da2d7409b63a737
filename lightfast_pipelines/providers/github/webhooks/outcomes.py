"""GitHub's events that are filtered. Modules that read an event declare its rules themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from lightfast_pipelines.domain.events import Parked
from lightfast_pipelines.providers.webhook_contract import EventRule

# event -> why it is filtered. An event that is worth remembering but is not read yet is not in this
# table: it is parked until a higher rule version reads it.
FILTERED: Mapping[str, str] = {
    "branch_protection_rule": "a setting of the repository",
    "check_run": "single checks are not remembered, but their suite is",
    "deploy_key": "a setting of the repository",
    "fork": "somebody else's copy",
    "github_app_authorization": "about a person's consent to an app",
    "label": "a label is remembered where it is put on something",
    "marketplace_purchase": "about billing",
    "member": "about access",
    "membership": "about access",
    "meta": "about the webhook itself",
    "org_block": "about access",
    "organization": "about access",
    "page_build": "its deployment is remembered instead",
    "ping": "only says that the webhook works",
    "public": "a setting of the repository",
    "repository_dispatch": "a signal between programs",
    "repository_import": "about the import, not the work",
    "sponsorship": "about billing",
    "star": "about popularity",
    "status": "single checks of a commit are not remembered",
    "team": "about access",
    "team_add": "about access",
    "watch": "about popularity",
    "workflow_dispatch": "its workflow run is remembered instead",
    "workflow_job": "its workflow run is remembered instead",
}
RULES = tuple(EventRule(event, None, "filtered", note=why) for event, why in FILTERED.items())


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def delivered(event: str, thing: str, transitions: Mapping[str, _Named]) -> tuple[EventRule, ...]:
    """A rule for each action, whose transition names the source type."""
    return tuple(
        EventRule(event, action, "delivered", (f"{thing}.{transition.name}",))
        for action, transition in transitions.items()
    )


def unknown_action(event: str, action: object) -> Parked:
    return Parked(f"action {str(action)[:100]} of {event} is not known yet")


def not_kept(event: str, actions: Iterable[str]) -> tuple[EventRule, ...]:
    """The rules of actions that are known but change nothing worth remembering."""
    return tuple(
        EventRule(event, action, "filtered", note="changes nothing worth remembering")
        for action in sorted(actions)
    )
