"""`project.env-variable.*` and `flag.*`: production behaves differently without a deployment.

Only which variable or flag it was and where it applies is read. Values are not, whether they are
encrypted or not: nothing but the raw body holds what Vercel sends of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reading, Thing, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    moment_key,
    name_of,
    titled,
)
from lightfast_pipelines.providers.statement_builder import StatementBuilder
from lightfast_pipelines.providers.vercel.webhooks.event import (
    VercelEvent,
    project_id,
    project_name,
)
from lightfast_pipelines.providers.webhook_contract import EventRule

_WEIGHTS = {"created": 35, "updated": 45, "deleted": 50}
_ELSEWHERE = 20
"""What does not reach production weighs this much."""
_PREFIXES = {"project.env-variable.": "env-variable", "flag.": "flag"}
_TAGS = {"env-variable": "Environment Variable", "flag": "Flag"}
_WRAPPED = {
    "env-variable": ("envVariable", "environmentVariable", "env", "variable"),
    "flag": ("flag",),
}
_NAMES = {"env-variable": ("key", "name", "envKey"), "flag": ("slug", "key", "name")}
_MOST_TARGETS = 20
TYPES = frozenset(f"{prefix}{change}" for prefix in _PREFIXES for change in _WEIGHTS)
RULES = tuple(
    EventRule(
        f"{prefix}{change}",
        None,
        "delivered",
        (f"{kind}.{change}",),
        "which one and where it applies; never its value",
    )
    for prefix, kind in _PREFIXES.items()
    for change in _WEIGHTS
)


def read(event: VercelEvent) -> Reading:
    """Raises Missing where the payload names no project, or not what was changed."""
    prefix = next(prefix for prefix in _PREFIXES if event.type.startswith(prefix))
    kind, change = _PREFIXES[prefix], event.type.removeprefix(prefix)
    project, identity = event.project, project_id(event.inner)
    if project is None or identity is None:
        raise Missing("payload.project.id")
    about = _about(event.inner, kind)
    name = next((found for field in _NAMES[kind] if (found := name_of(about, field))), None)
    number = name_of(about, "id") or name_of(event.inner, f"{_camel(kind)}Id")
    if name is None and number is None:
        raise Missing(f"payload.{_WRAPPED[kind][0]}")
    shown = name or number or ""
    targets = _targets(about) or _targets(event.inner)
    where = f" ({', '.join(targets)})" if targets else ""
    tag = f"{_TAGS[kind]} {change.capitalize()}"
    title = f"{project_name(event.inner) or identity}: {shown}{where}"
    builder = StatementBuilder("vercel", project)
    builder.refer("project", identity, project.url, project_name(event.inner))
    builder.mention(Thing(keys.config(shown), shown), "reference", kind)
    statement = builder.build(
        source_id=keys.source_id(
            project.key, f"{kind}-{change}", f"{number or name}@{moment_key(event.at)}"
        ),
        source_type=f"{kind}.{change}",
        occurred_at=event.at,
        title=titled(tag, title),
        content=content_of(f"> {tag}: {shown}{where}"),
        base_significance=(
            _WEIGHTS[change] if not targets or "production" in targets else _ELSEWHERE
        ),
        actor=event.user,
        author=event.user,
        metadata={
            "webhookId": event.id,
            "projectId": identity,
            "projectName": project_name(event.inner),
            "teamId": event.team_id,
            "name": name,
            "targets": targets,
        },
        updated_at=event.at,
        link_text="",
    )
    return Understood((statement,))


def _camel(kind: str) -> str:
    first, *others = kind.split("-")
    return first + "".join(word.capitalize() for word in others)


def _about(inner: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The variable or flag, which stands under its own name or in the payload itself."""
    for name in _WRAPPED[kind]:
        found = child(inner, name)
        if found:
            return found
    return inner


def _targets(about: Mapping[str, Any]) -> list[str]:
    """The environments it applies to, sorted."""
    for field in ("target", "targets", "environments", "environment"):
        found = about.get(field)
        if isinstance(found, dict):
            found = list(found)
        entries = found if isinstance(found, list) else [found]
        names = {name for name in entries if isinstance(name, str) and 0 < len(name) <= 100}
        if names:
            return sorted(names)[:_MOST_TARGETS]
    return []
