"""`project.*`: a creation is an observation; renaming and removal change the linked resource."""

from __future__ import annotations

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Lifecycle,
    LifecycleEvent,
    Reading,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import titled
from lightfast_pipelines.providers.statement_builder import StatementBuilder
from lightfast_pipelines.providers.vercel.webhooks.event import VercelEvent
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
    """Raises Missing without a project."""
    project, identity = event.needed_project()
    if event.type == "project.created":
        return Understood((_created(event, project, identity),))
    change = _CHANGES[event.type]
    value = {"name": project.name} if project.name else {}
    reason = f"Vercel: project {change}"
    lifecycle = LifecycleEvent("resource", identity, change, event.at, reason, value)
    return Lifecycle((lifecycle,), event.type)


def _created(event: VercelEvent, project: Thing, identity: str) -> Statement:
    builder = StatementBuilder("vercel", project)
    builder.refer("project", identity, project.url, project.name)
    return builder.build(
        source_id=keys.source_id(project.key, "created"),
        source_type="project.created",
        occurred_at=event.at,
        title=titled("Project Created", project.name or identity),
        content=project.name or identity,
        base_significance=40,
        actor=event.user,
        author=event.user,
        metadata=event.facts,
        updated_at=event.at,
        link_text="",
    )
