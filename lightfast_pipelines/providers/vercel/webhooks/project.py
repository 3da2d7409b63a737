"""`project.*`: one that is created is remembered; renamed and removed change the linked resource.

What a project's domains and settings do is not kept.
"""

from __future__ import annotations

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Lifecycle,
    LifecycleEvent,
    Reading,
    Statement,
    Understood,
)
from lightfast_pipelines.providers.fields import Missing, titled
from lightfast_pipelines.providers.statement_builder import StatementBuilder
from lightfast_pipelines.providers.vercel.webhooks.event import (
    VercelEvent,
    project_id,
    project_name,
)
from lightfast_pipelines.providers.webhook_contract import EventRule

_CHANGES = {"project.removed": "removed", "project.renamed": "renamed"}
TYPES = frozenset({"project.created", *_CHANGES})
RULES = (
    EventRule("project.created", None, "delivered", ("project.created",)),
    *(
        EventRule(event, None, "lifecycle", note=f"the project is {change}")
        for event, change in _CHANGES.items()
    ),
)


def read(event: VercelEvent) -> Reading:
    """Raises Missing where the payload names no project."""
    identity, name = project_id(event.inner), project_name(event.inner)
    if identity is None:
        raise Missing("payload.project.id")
    if event.type == "project.created":
        return Understood((_created(event, identity, name),))
    change = _CHANGES[event.type]
    value = {"name": name} if name else {}
    reason = f"Vercel: project {change}"
    lifecycle = LifecycleEvent("resource", identity, change, event.at, reason, value)
    return Lifecycle((lifecycle,), event.type)


def _created(event: VercelEvent, identity: str, name: str | None) -> Statement:
    subject = event.project
    assert subject is not None
    builder = StatementBuilder("vercel", subject)
    builder.refer("project", identity, subject.url, name)
    return builder.build(
        source_id=keys.source_id(subject.key, "created"),
        source_type="project.created",
        occurred_at=event.at,
        title=titled("Project Created", name or identity),
        content=name or identity,
        base_significance=40,
        actor=event.user,
        author=event.user,
        metadata={
            "webhookId": event.id,
            "projectId": identity,
            "projectName": name,
            "teamId": event.team_id,
        },
        updated_at=event.at,
        link_text="",
    )
