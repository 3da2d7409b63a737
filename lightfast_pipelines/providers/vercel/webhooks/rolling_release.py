"""`project.rolling-release.*`: a new deployment takes over production step by step, unless it is aborted.

Meanwhile the old deployment counts as live; once the release is completed, the new one does.
Fields: vercel.com/docs, "Webhooks API Reference".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys, serving
from lightfast_pipelines.domain.events import Reading, StateChange, Thing, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    content_of,
    moment_key,
    name_of,
    titled,
    whole,
)
from lightfast_pipelines.providers.statement_builder import StatementBuilder
from lightfast_pipelines.providers.vercel import keys as vercel_keys
from lightfast_pipelines.providers.vercel.webhooks.event import VercelEvent
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _RolloutStep:
    tag: str
    mark: str
    weight: int
    note: str


_STEPS = {
    "started": _RolloutStep("Rolling Release Started", ">", 40, "the live deployment stays"),
    "approved": _RolloutStep("Rolling Release Approved", ">", 25, "the live deployment stays"),
    "completed": _RolloutStep("Rolling Release Completed", "+", 50, "sets the live deployment"),
    "aborted": _RolloutStep("Rolling Release Aborted", "!", 70, "the live deployment stays"),
}
_PREFIX = "project.rolling-release."
TYPES = frozenset(f"{_PREFIX}{name}" for name in _STEPS)
RULES = tuple(
    EventRule(f"{_PREFIX}{name}", None, "delivered", (f"rolling-release.{name}",), step.note)
    for name, step in _STEPS.items()
)
_STATE_TYPE = f"{serving.STATE_TYPE}:production"


def read(event: VercelEvent) -> Reading:
    """Raises Missing without a project or a deployment to roll out."""
    release = child(event.inner, "rollingRelease")
    stage = child(release, "default")
    target, base = name_of(stage, "targetDeploymentId"), name_of(stage, "baseDeploymentId")
    if target is None:
        raise Missing("payload.rollingRelease.default.targetDeploymentId")
    project, identity = event.needed_project()
    name = event.type.removeprefix(_PREFIX)
    step = _STEPS[name]
    new = Thing(vercel_keys.deployment(target))
    old = Thing(vercel_keys.deployment(base)) if base else None
    shown = project.name or identity
    share = _share(release, stage) if name in ("started", "approved") else None
    builder = StatementBuilder("vercel", project)
    builder.refer("deployment", target, label="new")
    builder.mention(new, evidence="targetDeploymentId")
    if base is not None and old is not None:
        builder.refer("deployment", base, label="before")
        builder.mention(old, evidence="baseDeploymentId")
    statement = builder.build(
        source_id=keys.source_id(
            project.key, f"rolling-release-{name}", f"{target}@{moment_key(event.at)}"
        ),
        source_type=f"rolling-release.{name}",
        occurred_at=event.at,
        title=titled(step.tag, f"{shown} at {share}%" if share is not None else shown),
        content=content_of(
            f"{step.mark} {step.tag} (production)",
            f"New: {target}",
            f"Before: {base}" if base else None,
        ),
        base_significance=step.weight,
        actor=event.user,
        author=event.user,
        states=_states(event, name, project, new, old),
        metadata={
            **event.facts,
            "targetDeploymentId": target,
            "baseDeploymentId": base,
            "percentage": share,
        },
        updated_at=event.at,
        link_text="",
    )
    return Understood((statement,))


def _states(
    event: VercelEvent, name: str, project: Thing, new: Thing, old: Thing | None
) -> tuple[StateChange, ...]:
    """The live deployment; the new one counts as promoted once it serves everybody."""
    live_deployment, basis = new, serving.ROLLING
    if name == "completed":
        basis = serving.ROLLED_OUT
    elif name == "aborted" and old is not None:
        live_deployment, basis = old, serving.KEPT
    withheld = new.key if live_deployment is not new else None
    details = {serving.BASIS: basis, serving.WITHHOLDS: withheld}
    live = StateChange(
        project,
        _STATE_TYPE,
        live_deployment.key,
        event.at,
        3,
        f"rolling-release-{name}",
        metadata={field: value for field, value in details.items() if value is not None},
    )
    if name != "completed":
        return (live,)
    metadata = {"environment": "production"}
    promoted = StateChange(new, "status", "promoted", event.at, 3, name, metadata=metadata)
    return (promoted, live)


def _share(release: Mapping[str, Any], stage: Mapping[str, Any]) -> int | None:
    """The percentage of visitors that get the new deployment."""
    percentage = whole(stage, "targetPercentage")
    if percentage is not None:
        return percentage
    stages = children(child(release, "config"), "stages")
    active = whole(release, "activeStageIndex")
    if active is None or not 0 <= active < len(stages):
        return None
    return whole(stages[active], "targetPercentage")
