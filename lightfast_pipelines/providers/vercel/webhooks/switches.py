"""`project.env-variable.*` and `flag.*`: changes that alter production without a deployment.

We read only which variable or flag it was and where it applies, never its value: that stays in the raw body.
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
from lightfast_pipelines.providers.vercel.webhooks.event import VercelEvent
from lightfast_pipelines.providers.webhook_contract import EventRule

_WEIGHTS = {"created": 35, "updated": 45, "deleted": 50}
_OUTSIDE_PRODUCTION = 20
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
    """Raises Missing without a project, a variable or a flag."""
    prefix = next(prefix for prefix in _PREFIXES if event.type.startswith(prefix))
    kind, change = _PREFIXES[prefix], event.type.removeprefix(prefix)
    project, identity = event.needed_project()
    about = _about(event.inner, kind)
    names = (name_of(about, field) for field in _NAMES[kind])
    name = next(filter(None, names), None)
    number = name_of(about, "id") or name_of(event.inner, f"{_camel(kind)}Id")
    if name is None and number is None:
        raise Missing(f"payload.{_WRAPPED[kind][0]}")
    shown = name or number or ""
    targets = _targets(about) or _targets(event.inner)
    where = f" ({', '.join(targets)})" if targets else ""
    tag = f"{_TAGS[kind]} {change.capitalize()}"
    title = f"{project.name or identity}: {shown}{where}"
    builder = StatementBuilder("vercel", project)
    builder.refer("project", identity, project.url, project.name)
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
            _WEIGHTS[change] if not targets or "production" in targets else _OUTSIDE_PRODUCTION
        ),
        actor=event.user,
        author=event.user,
        metadata={
            **event.facts,
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
    """The variable or flag: an object of its own, or the payload itself."""
    wrapped = (child(inner, name) for name in _WRAPPED[kind])
    return next(filter(None, wrapped), inner)


def _targets(about: Mapping[str, Any]) -> list[str]:
    """The environments that it applies to, sorted."""
    for field in ("target", "targets", "environments", "environment"):
        value = about.get(field)
        entries = list(value) if isinstance(value, list | dict) else [value]
        names = {name for name in entries if isinstance(name, str) and 0 < len(name) <= 100}
        if names:
            return sorted(names)[:_MOST_TARGETS]
    return []
