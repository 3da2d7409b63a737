"""`deployment.*`: created, ready or succeeded, error, blocked, canceled, promoted, rolled back, cleaned up.

Vercel sends `ready` and `succeeded` for the same transition. `live.py` reads which deployment is live.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Account,
    Edge,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    content_of,
    flag,
    moment_key,
    name_of,
    text,
    titled,
    url,
)
from lightfast_pipelines.providers.statement_builder import StatementBuilder
from lightfast_pipelines.providers.vercel import keys as vercel_keys
from lightfast_pipelines.providers.vercel.webhooks import live
from lightfast_pipelines.providers.vercel.webhooks.event import (
    VercelEvent,
    deployment_id,
    project_id,
    project_name,
)
from lightfast_pipelines.providers.vercel.webhooks.git import DeployedCommit, commit_of
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _DeploymentTransition:
    """How a type of event becomes an observation. `state` is the deployment's new status, if it changes.
    `recurs`: a deployment may have it more than once."""

    name: str
    tag: str
    mark: str
    weight: int
    state: str | None = None
    rank: int = 0
    recurs: bool = False


_SUCCEEDED = _DeploymentTransition("succeeded", "Deployment Succeeded", "+", 40, "succeeded", 2)
# A monorepo gets one for each project that a commit does not touch, and a branch gets one for each commit
# that was superseded before its build began.
_SKIPPED = _DeploymentTransition("canceled", "Deployment Skipped", ">", 5, "canceled", 2)
_TRANSITIONS = {
    "deployment.created": _DeploymentTransition(
        "created", "Deployment Started", ">", 30, "building", 1
    ),
    "deployment.ready": _SUCCEEDED,
    "deployment.succeeded": _SUCCEEDED,
    "deployment.error": _DeploymentTransition("error", "Deployment Failed", "x", 70, "failed", 2),
    "deployment.blocked": _DeploymentTransition(
        "blocked", "Deployment Blocked", "!", 60, "blocked", 2
    ),
    "deployment.canceled": _DeploymentTransition(
        "canceled", "Deployment Canceled", "!", 65, "canceled", 2
    ),
    "deployment.promoted": _DeploymentTransition(
        "promoted", "Deployment Promoted", "+", 50, "promoted", 3, recurs=True
    ),
    "deployment.rollback": _DeploymentTransition(
        "rollback", "Deployment Rolled Back", "!", 75, "rolled_back", 4, recurs=True
    ),
    "deployment.cleanup": _DeploymentTransition("cleanup", "Deployment Cleaned Up", ">", 10),
    "deployment.check-rerequested": _DeploymentTransition(
        "check-rerequested", "Check Re-requested", ">", 25, recurs=True
    ),
    "deployment.checks.failed": _DeploymentTransition(
        "checks-failed", "Deployment Checks Failed", "x", 55, recurs=True
    ),
    "deployment.checks.succeeded": _DeploymentTransition(
        "checks-succeeded", "Deployment Checks Succeeded", "+", 15, recurs=True
    ),
}
TYPES = frozenset(_TRANSITIONS)
_NOTES = {
    "deployment.blocked": "a team member has to approve it",
    "deployment.canceled": "a skipped build counts as canceled, with a low significance",
    "deployment.cleanup": "the deployment is deleted, by a person or by a retention rule",
    "deployment.ready": "the same transition as deployment.succeeded",
    "deployment.succeeded": "sets the live deployment, except for a preview or in a project that promotes deployments",
    "deployment.promoted": "sets the live deployment",
    "deployment.rollback": "about the deployment that stops serving; sets the live deployment",
}
RULES = tuple(
    EventRule(event, None, "delivered", (f"deployment.{transition.name}",), _NOTES.get(event, ""))
    for event, transition in _TRANSITIONS.items()
)
_SKIP = re.compile(
    r"ignored?[ _-]?(?:build|command)|(?:build|deployment)(?: was| is| has been)?[ _-]skipped"
    r"|superseded|newer (?:commit|deployment|build)"
    r"|skip(?:ped|ping)[ _-](?:the )?(?:build|deployment|unaffected)|unaffected|not affected"
    r"|no changes (?:were )?(?:detected|found|to)",
    re.IGNORECASE,
)
# The push alone caused these; somebody else may promote or cancel.
_BY_PUSH = frozenset(
    {"deployment.created", "deployment.ready", "deployment.succeeded", "deployment.error"}
)
_ALWAYS_PRODUCTION = frozenset({"promoted", "rollback"})


def read(event: VercelEvent) -> Reading:
    """Raises Missing without a deployment."""
    transition = _TRANSITIONS[event.type]
    identity = deployment_id(event.inner)
    if identity is None:
        raise Missing("payload.deployment.id")
    if transition.name == "canceled" and _is_skipped(event.inner):
        transition = _SKIPPED
    return Understood((_statement(event, transition, identity),))


def _is_skipped(inner: Mapping[str, Any]) -> bool:
    """Whether no build was needed, by the project's rule or because the commit does not touch it."""
    holders = (inner, child(inner, "deployment"))
    if any(flag(holder, "buildSkipped") for holder in holders):
        return True
    words = (
        text(holder, field)
        for holder in holders
        for field in ("errorMessage", "errorCode", "readyStateReason", "canceledReason", "reason")
    )
    return any(_SKIP.search(word) for word in words if word)


def environment_of(event: VercelEvent, transition: str) -> str:
    """`production`, `staging`, a custom environment's id, or `preview`; never taken from an address."""
    if transition in _ALWAYS_PRODUCTION:
        return "production"
    deployment = child(event.inner, "deployment")
    return (
        name_of(event.inner, "target")
        or name_of(deployment, "target")
        or name_of(deployment, "customEnvironmentId")
        or "preview"
    )


def _statement(event: VercelEvent, transition: _DeploymentTransition, identity: str) -> Statement:
    inner, deployment = event.inner, child(event.inner, "deployment")
    commit = commit_of(deployment)
    subject = _deployment(identity, _address(event))
    environment = environment_of(event, transition.name)
    restored = name_of(inner, "toDeploymentId") if transition.name == "rollback" else None
    name = project_name(inner) or project_id(inner) or identity
    has_source = child(deployment, "meta") or child(deployment, "gitSource")
    where = f" from {commit.ref or 'unknown'}" if has_source else ""
    check = name_of(child(inner, "check"), "id")
    discriminator = moment_key(event.at) if transition.recurs else None
    if check is not None and discriminator is not None:
        discriminator = f"{check}@{discriminator}"
    builder = StatementBuilder("vercel", subject)
    _add_relations(builder, event, commit, restored)
    _add_references(builder, event, commit)
    return builder.build(
        source_id=keys.source_id(subject.key, transition.name, discriminator),
        source_type=f"deployment.{transition.name}",
        occurred_at=event.at,
        title=titled(transition.tag, f"{name}{where}"),
        content=_content(event, transition, commit, environment, restored),
        base_significance=transition.weight,
        actor=_actor(event, commit),
        author=commit.author,
        states=_states(event, subject, transition, environment, restored),
        metadata=_metadata(event, identity, commit, environment, check),
        updated_at=event.at,
        # The message is the commit's, whose own observation has what it closes or mentions.
        link_text="",
        branch=commit.ref,
    )


def _actor(event: VercelEvent, commit: DeployedCommit) -> Account | None:
    """Who did it. Webhooks give only the id of an account. A push is deployed on behalf of the commit's
    author, so the account gets the author's name; a name alone joins no identities."""
    user = event.user
    if user is None or user.name or user.username or user.kind == "bot" or not commit.by_push:
        return user
    # A robot's push is deployed on behalf of whoever connected the repository.
    if event.type not in _BY_PUSH or commit.is_by_bot:
        return user
    return replace(user, name=commit.author_name or commit.author_login)


def _deployment(identity: str, address: str | None = None) -> Thing:
    names = [keys.vercel_deployment_page(identity)]
    if address is not None:
        names.append(keys.vercel_deployment_at(address))
    return Thing(
        vercel_keys.deployment(identity),
        address,
        f"https://{address}" if address else None,
        tuple(names),
    )


def _address(event: VercelEvent) -> str | None:
    """The host name of the deployment; Vercel writes it without a scheme."""
    host = name_of(child(event.inner, "deployment"), "url") or name_of(event.inner, "url")
    if host is None or "://" in host or any(letter.isspace() for letter in host):
        return None
    return host


def _add_relations(
    builder: StatementBuilder, event: VercelEvent, commit: DeployedCommit, restored: str | None
) -> None:
    meta = child(child(event.inner, "deployment"), "meta")
    original = name_of(meta, "originalDeploymentId")
    # A deployment of a working copy with changes is not that commit.
    relation, evidence = ("references", "gitDirty") if commit.is_dirty else ("deploys", None)
    related = [
        (relation, commit.thing, evidence),
        ("on_branch", commit.branch, None),
        ("references", commit.pull, "githubPrId"),
        ("belongs_to", event.project, None),
        ("references", _deployment(original) if original else None, name_of(meta, "action")),
        ("references", _deployment(restored) if restored else None, "rolled back to"),
    ]
    for relation, thing, evidence in related:
        if thing is not None:
            builder.relate(relation, thing, evidence=evidence)
    if commit.thing is not None and commit.branch is not None:
        builder.mention(commit.branch, evidence="githubCommitRef")
        builder.edges.append(
            Edge(commit.thing, "on_branch", commit.branch, evidence="githubCommitRef")
        )


def _states(
    event: VercelEvent,
    subject: Thing,
    transition: _DeploymentTransition,
    environment: str,
    restored: str | None,
) -> tuple[StateChange, ...]:
    """The deployment's own state, and the live deployment of its environment."""
    at, rank, name = event.at, transition.rank, transition.name
    states: list[StateChange] = []
    if name == "cleanup":
        states.append(deletion(subject, at))
    elif transition.state is not None:
        details = {"environment": environment}
        states.append(
            StateChange(subject, "status", transition.state, at, rank, name, metadata=details)
        )
    back = _deployment(restored) if restored is not None else None
    if back is not None:
        states.append(StateChange(back, "status", "promoted", at, rank, name))
    live_change = live.change(event, subject, name, rank, environment, restored=back)
    return (*states, live_change) if live_change is not None else tuple(states)


def _add_references(builder: StatementBuilder, event: VercelEvent, commit: DeployedCommit) -> None:
    subject, project = builder.subject, event.project
    if commit.sha:
        builder.refer("commit", commit.sha, commit.thing.url if commit.thing else None)
    if commit.ref:
        builder.refer("branch", commit.ref)
    if commit.pull is not None:
        builder.refer("pr", f"#{commit.pull_request}", commit.pull.url)
    builder.refer("deployment", subject.key.rpartition(":")[2], subject.url)
    if project is not None:
        builder.refer("project", project.key.rpartition(":")[2], project.url, project.name)


def _content(
    event: VercelEvent,
    transition: _DeploymentTransition,
    commit: DeployedCommit,
    environment: str,
    restored: str | None,
) -> str:
    failed = [
        text(check, "name") or "unnamed"
        for check in children(event.inner, "checks")
        if name_of(check, "conclusion") in ("failed", "failure")
    ]
    return content_of(
        f"{transition.mark} {transition.tag} ({environment})",
        f"Restored: {restored}" if restored else None,
        f"Failed checks: {', '.join(failed)}" if failed else None,
        _error(event),
        # A skipped build did not use the commit.
        commit.message if transition is not _SKIPPED else None,
    )


def _error(event: VercelEvent) -> str | None:
    return text(child(event.inner, "deployment"), "errorMessage") or text(
        event.inner, "errorMessage"
    )


def _metadata(
    event: VercelEvent, identity: str, commit: DeployedCommit, environment: str, check: str | None
) -> dict[str, Any]:
    inner = event.inner
    regions = inner.get("regions")
    error = _error(event)
    return {
        **event.facts,
        "deploymentId": identity,
        "deploymentUrl": _address(event),
        "inspectorUrl": url(child(inner, "links"), "deployment"),
        "environment": environment,
        "branch": commit.ref,
        "regions": [name for name in regions if isinstance(name, str)]
        if isinstance(regions, list)
        else [],
        "plan": name_of(inner, "plan"),
        "gitCommitSha": commit.sha,
        "gitCommitRef": commit.ref,
        "gitCommitMessage": (commit.message or "")[:500] or None,
        "gitCommitAuthor": commit.author_name,
        "gitCommitAuthorLogin": commit.author_login,
        "gitRepo": commit.repository,
        "gitOrg": commit.organization,
        "prNumber": commit.pull_request,
        "checkId": check,
        **({"gitDirty": True} if commit.is_dirty else {}),
        **({"errorMessage": error[:500]} if error else {}),
    }
