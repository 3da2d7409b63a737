"""`deployment` and `deployment_status`: what is deployed where, and how that went.

A status is identified by its own id: the same state may be reported twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    ENDING_REASON,
    Parked,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.domain.vercel_names import find_deployments
from lightfast_pipelines.providers.fields import (
    Missing,
    content_of,
    first_time,
    flag,
    name_of,
    needed_child,
    text,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.outcomes import unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import Repository, repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _DeploymentStep:
    """How a deployment's creation or status is shown; `state` is None if the deployment is deleted."""

    name: str
    tag: str
    weight: int
    state: str | None
    rank: int = 0


_CREATED = _DeploymentStep("created", "Deployment Started", 30, "building", 1)
# There is no webhook for it: a sweep writes it when it finds that a deployment is gone.
_DELETED = _DeploymentStep("deleted", "Deployment Deleted", 10, None)
_STATUSES = {
    "success": _DeploymentStep("succeeded", "Deployment Succeeded", 40, "succeeded", 3),
    "failure": _DeploymentStep("error", "Deployment Failed", 70, "failed", 3),
    "error": _DeploymentStep("error", "Deployment Failed", 70, "failed", 3),
    "in_progress": _DeploymentStep("in-progress", "Deployment In Progress", 10, "building", 2),
    "queued": _DeploymentStep("queued", "Deployment Queued", 8, "building", 2),
    "pending": _DeploymentStep("pending", "Deployment Pending", 8, "building", 2),
    "waiting": _DeploymentStep("waiting", "Deployment Waiting", 8, "waiting", 1),
    # Another deployment replaced it, or it was taken down; the other one has its own events.
    "inactive": _DeploymentStep("inactive", "Deployment Inactive", 10, "inactive", 4),
}
_PREVIEW = re.compile(
    r"(?:preview|review|pr|pull|pull[ _-]?request|mr)\b|.*\bpreview$", re.IGNORECASE
)
# Tasks that serve nothing; GitHub's own examples of tasks are `deploy` and `deploy:migrations`.
_SERVES_NOTHING = re.compile(
    r"(?:^|[:_ -])(?:migrat\w*|(?:un)?lock|tests?|checks?|plan|seed|backup|teardown|destroy|cleanup)(?:[:_ -]|$)",
    re.IGNORECASE,
)
RULES = (
    EventRule("deployment", "created", "delivered", ("deployment.created",)),
    EventRule(
        "deployment",
        "deleted",
        "delivered",
        ("deployment.deleted",),
        "GitHub does not send it: a sweep that finds the deployment gone records it",
    ),
    EventRule(
        "deployment_status",
        "created",
        "delivered",
        tuple(sorted({f"deployment.{step.name}" for step in _STATUSES.values()})),
    ),
)


def read_deployment(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing."""
    action = text(payload, "action")
    deployment = needed_child(payload, "deployment")
    if action == "deleted":
        gone_at = first_time(deployment, "updated_at", "created_at")
        return Understood((_statement(payload, deployment, _DELETED, gone_at, {}),))
    # Old payloads have no action.
    if action not in (None, "created"):
        return unknown_action("deployment", action)
    at = first_time(deployment, "created_at", "updated_at")
    return Understood((_statement(payload, deployment, _CREATED, at, {}),))


def read_status(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing."""
    action = text(payload, "action")
    if action not in (None, "created"):
        return unknown_action("deployment_status", action)
    status = needed_child(payload, "deployment_status")
    state = name_of(status, "state") or ""
    step = _STATUSES.get(state)
    if step is None:
        return Parked(f"state {state[:100]} of deployment_status is not known yet")
    deployment = needed_child(payload, "deployment")
    at = first_time(status, "created_at", "updated_at")
    if whole(status, "id") is None:
        raise Missing("deployment_status.id")
    return Understood((_statement(payload, deployment, step, at, status),))


def _statement(
    payload: Mapping[str, Any],
    deployment: Mapping[str, Any],
    step: _DeploymentStep,
    at: datetime | None,
    status: Mapping[str, Any],
) -> Statement:
    repository = repository_of(payload)
    if at is None:
        raise Missing("deployment.created_at")
    environment = (
        name_of(status, "environment") or name_of(deployment, "environment") or "production"
    )
    ref = name_of(deployment, "ref")
    address = url(status, "environment_url") or url(status, "target_url")
    subject = deployment_thing(repository, deployment, environment)
    builder = GitHubStatementBuilder(repository, subject)
    add_deployed(builder, deployment, ref)
    _add_deployment_of_host(builder, status)
    creator = account(deployment.get("creator"))
    error = text(status, "description") if step.state == "failed" else None
    return builder.build(
        source_id=keys.source_id(subject.key, step.name, whole(status, "id")),
        source_type=f"deployment.{step.name}",
        occurred_at=at,
        title=titled(step.tag, f"{repository.full_name or repository.id} to {environment}"),
        content=content_of(
            f"{step.tag}: {ref or name_of(deployment, 'sha') or 'a commit'} to {environment}",
            text(deployment, "description"),
            text(status, "description"),
        ),
        base_significance=step.weight,
        actor=account(payload.get("sender")),
        author=creator,
        states=_states(repository, subject, step, at, environment, deployment),
        metadata={
            "deploymentId": subject.key.rpartition(":")[2],
            "deploymentUrl": address,
            "statusId": whole(status, "id"),
            "state": name_of(status, "state"),
            "environment": environment,
            "task": name_of(deployment, "task"),
            "ref": ref,
            "gitCommitSha": name_of(deployment, "sha"),
            "logUrl": url(status, "log_url"),
            "creatorLogin": creator and creator.username,
            **({"errorMessage": error[:500]} if error else {}),
        },
        updated_at=first_time(status, "updated_at", "created_at") or at,
        link_text="",
    )


def deployment_thing(
    repository: Repository, deployment: Mapping[str, Any], environment: str
) -> Thing:
    """Raises Missing."""
    identity = whole(deployment, "id")
    if identity is None:
        raise Missing("deployment.id")
    name = f"{repository.full_name or repository.id} to {environment}"
    return Thing(github_keys.deployment(repository.id, identity), name[:200])


def add_deployed(
    builder: GitHubStatementBuilder, deployment: Mapping[str, Any], ref: str | None
) -> None:
    """Adds the commit that is deployed, and its repository."""
    builder.refer("deployment", builder.subject.key.rpartition(":")[2])
    sha = name_of(deployment, "sha")
    if sha is not None and FULL_SHA.fullmatch(sha):
        builder.add_commit("deploys", sha.lower())
    if ref is not None and not FULL_SHA.fullmatch(ref):
        # The payload does not say whether it is a branch or a tag, so it is not an entity.
        builder.refer("branch", ref)
    builder.mention(builder.repository.thing, "repository")


def _add_deployment_of_host(builder: GitHubStatementBuilder, status: Mapping[str, Any]) -> None:
    """Relates the hosting provider's deployment (Vercel's), which is known by the status's addresses."""
    addresses = (url(status, field) for field in ("environment_url", "target_url", "log_url"))
    deployments = {
        deployment.key: deployment
        for address in addresses
        if address is not None
        for _, _, deployment in find_deployments(address)
    }
    for deployment in deployments.values():
        builder.relate("references", deployment)


def _states(
    repository: Repository,
    subject: Thing,
    step: _DeploymentStep,
    at: datetime,
    environment: str,
    deployment: Mapping[str, Any],
) -> tuple[StateChange, ...]:
    """The deployment's own state, and whether it serves its environment now.

    The deployment that succeeded last is live until it is inactive or deleted. A failure does not
    change what is live.
    """
    details = {"environment": environment}
    own_state = (
        deletion(subject, at)
        if step.state is None
        else StateChange(subject, "status", step.state, at, step.rank, step.name, details)
    )
    if not _can_be_live(deployment, environment):
        return (own_state,)
    state_type = f"live_deployment:{environment}"
    if step.name == "succeeded":
        return (
            own_state,
            StateChange(repository.thing, state_type, subject.key, at, step.rank, step.name),
        )
    if step.state == "inactive" or step is _DELETED:
        ended = StateChange(repository.thing, state_type, subject.key, at, 4, ENDING_REASON)
        return (own_state, ended)
    return (own_state,)


def _can_be_live(deployment: Mapping[str, Any], environment: str) -> bool:
    """Whether the deployment can be the one that serves the environment.

    A preview serves only its own address, so many are live side by side. Migrations serve nothing.
    """
    if _SERVES_NOTHING.search(name_of(deployment, "task") or ""):
        return False
    if flag(deployment, "production_environment") is True:
        return True
    return flag(deployment, "transient_environment") is not True and not _PREVIEW.match(environment)
