"""`alerts.triggered`: a project has unusually many errors or unusually much usage.

Vercel does not report the end of an alert, so there is no state.
"""

from __future__ import annotations

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reading, Understood
from lightfast_pipelines.providers.fields import (
    child,
    children,
    content_of,
    moment_key,
    name_of,
    text,
    titled,
    url,
)
from lightfast_pipelines.providers.statement_builder import StatementBuilder
from lightfast_pipelines.providers.vercel.webhooks.event import VercelEvent, project_name
from lightfast_pipelines.providers.webhook_contract import EventRule

TYPES = frozenset({"alerts.triggered"})
RULES = (EventRule("alerts.triggered", None, "delivered", ("alert.triggered",)),)
_MOST_ALERTS = 20


def read(event: VercelEvent) -> Reading:
    """One observation for all alerts of the event. Raises Missing without a project."""
    project, identity = event.needed_project()
    alerts = children(event.inner, "alerts")[:_MOST_ALERTS] or [
        child(event.inner, "alert") or event.inner
    ]
    shown = project_name(event.inner) or identity
    kinds = sorted({kind for alert in alerts if (kind := name_of(alert, "type"))})
    titles = [title for alert in alerts if (title := text(alert, "title"))]
    group = name_of(event.inner, "groupId") or name_of(alerts[0], "alertId")
    page = url(child(event.inner, "links"), "observability")
    what = titles[0] if titles else ", ".join(kinds).replace("_", " ") or "alert"
    builder = StatementBuilder("vercel", project)
    builder.refer("project", identity, page or project.url, shown)
    statement = builder.build(
        source_id=keys.source_id(
            project.key, "alert-triggered", f"{group or ''}@{moment_key(event.at)}"
        ),
        source_type="alert.triggered",
        occurred_at=event.at,
        title=titled("Alert Triggered", f"{shown}: {what}"),
        content=content_of("! Alert Triggered", *titles),
        base_significance=70,
        metadata={
            **event.facts,
            "projectName": shown,
            "groupId": group,
            "alertTypes": kinds,
        },
        updated_at=event.at,
        link_text="",
    )
    return Understood((statement,))
