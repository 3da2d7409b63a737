"""`deployment.*`: created, ready or succeeded, error, canceled, promoted, rolled back, cleaned up, checks.

Vercel sends `ready` and `succeeded` for one and the same transition, and `promoted` whenever a
deployment begins to serve production, be it by itself or by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Edge,
    Mention,
    Reading,
    Reference,
    StateChange,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.contract import EventRule
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    content_of,
    moment_key,
    name_of,
    text,
    titled,
    url,
)
from lightfast_pipelines.providers.vercel.event import (
    Event,
    deployment_id,
    project_id,
    project_name,
)
from lightfast_pipelines.providers.vercel.git import Commit, commit_of


@dataclass(frozen=True, slots=True)
class _Transition:
    """How a type is told. `state` None: no state of the deployment changes; `goes_live`: it, or for a
    rollback the one restored, serves its environment from now on."""

    name: str
    tag: str
    mark: str
    weight: int
    state: str | None = None
    rank: int = 0
    goes_live: bool = False
    recurs: bool = False


_SUCCEEDED = _Transition(
    "succeeded", "Deployment Succeeded", "+", 40, "succeeded", 2, goes_live=True
)
_TRANSITIONS = {
    "deployment.created": _Transition("created", "Deployment Started", ">", 30, "building", 1),
    "deployment.ready": _SUCCEEDED,
    "deployment.succeeded": _SUCCEEDED,
    "deployment.error": _Transition("error", "Deployment Failed", "x", 70, "failed", 2),
    "deployment.canceled": _Transition("canceled", "Deployment Canceled", "!", 65, "canceled", 2),
    "deployment.promoted": _Transition(
        "promoted", "Deployment Promoted", "+", 50, "promoted", 3, goes_live=True, recurs=True
    ),
    "deployment.rollback": _Transition(
        "rollback", "Deployment Rolled Back", "!", 75, "rolled_back", 4, goes_live=True, recurs=True
    ),
    "deployment.cleanup": _Transition("cleanup", "Deployment Cleaned Up", ">", 10),
    "deployment.check-rerequested": _Transition(
        "check-rerequested", "Check Re-requested", ">", 25, recurs=True
    ),
    "deployment.checks.failed": _Transition(
        "checks-failed", "Deployment Checks Failed", "x", 55, recurs=True
    ),
    "deployment.checks.succeeded": _Transition(
        "checks-succeeded", "Deployment Checks Succeeded", "+", 15, recurs=True
    ),
}
TYPES = frozenset(_TRANSITIONS)
_NOTES = {
    "deployment.cleanup": "the deployment is deleted, by a person or by a rule of retention",
    "deployment.ready": "one transition with deployment.succeeded, whichever comes",
    "deployment.succeeded": "sets the live deployment, unless it is a preview",
    "deployment.promoted": "sets the live deployment",
    "deployment.rollback": "told of the deployment that goes; sets the live deployment",
}
RULES = tuple(
    EventRule(event, None, "delivered", (f"deployment.{each.name}",), _NOTES.get(event, ""))
    for event, each in _TRANSITIONS.items()
)
_ALWAYS_PRODUCTION = frozenset({"promoted", "rollback"})


def read(event: Event) -> Reading:
    """Raises Missing where the payload names no deployment."""
    transition = _TRANSITIONS[event.type]
    identity = deployment_id(event.inner)
    if identity is None:
        raise Missing("payload.deployment.id")
    return Understood((_statement(event, transition, identity),))


def environment_of(event: Event, transition: str) -> str:
    """`production`, `staging`, a custom environment's id, or `preview`; never read off an address."""
    if transition in _ALWAYS_PRODUCTION:
        return "production"
    deployment = child(event.inner, "deployment")
    return (
        name_of(event.inner, "target")
        or name_of(deployment, "target")
        or name_of(deployment, "customEnvironmentId")
        or "preview"
    )


def _statement(event: Event, transition: _Transition, identity: str) -> Statement:
    inner, deployment = event.inner, child(event.inner, "deployment")
    commit = commit_of(child(deployment, "meta"))
    subject = _deployment(identity, _address(event))
    environment = environment_of(event, transition.name)
    restored = name_of(inner, "toDeploymentId") if transition.name == "rollback" else None
    relations = _relations(event, subject, commit, restored)
    name = project_name(inner) or project_id(inner) or identity
    where = f" from {commit.ref or 'unknown'}" if child(deployment, "meta") else ""
    check = name_of(child(inner, "check"), "id")
    discriminator = moment_key(event.at) if transition.recurs else None
    if check is not None and discriminator is not None:
        discriminator = f"{check}@{discriminator}"
    return Statement(
        source_id=keys.source_id(subject.key, transition.name, discriminator),
        source="vercel",
        source_type=f"deployment.{transition.name}",
        subject=subject,
        occurred_at=event.at,
        title=titled(transition.tag, f"{name}{where}"),
        content=_content(event, transition, commit, environment, restored),
        base_significance=transition.weight,
        actor=event.user,
        author=commit.author,
        references=_references(event, subject, commit),
        mentions=(
            Mention(subject, "subject"),
            *(Mention(edge.object, "reference", edge.evidence) for edge in relations),
        ),
        edges=relations,
        states=_states(event, subject, transition, environment, restored),
        metadata=_metadata(event, identity, commit, environment, check),
        updated_at=event.at,
        # The message is the commit's: what it closes or mentions, the commit says itself.
        link_text="",
        branch=commit.ref,
    )


def _deployment(identity: str, address: str | None = None) -> Thing:
    return Thing(
        keys.vercel_deployment(identity), address, f"https://{address}" if address else None
    )


def _address(event: Event) -> str | None:
    """The host under which the deployment is reached, as Vercel writes it: without a scheme."""
    found = name_of(child(event.inner, "deployment"), "url") or name_of(event.inner, "url")
    if found is None or "://" in found or any(letter.isspace() for letter in found):
        return None
    return found


def _relations(
    event: Event, subject: Thing, commit: Commit, restored: str | None
) -> tuple[Edge, ...]:
    meta = child(child(event.inner, "deployment"), "meta")
    original = name_of(meta, "originalDeploymentId")
    found = [
        ("deploys", commit.thing, None),
        ("on_branch", commit.branch, None),
        ("references", commit.pull, "githubPrId"),
        ("belongs_to", event.project, None),
        ("references", _deployment(original) if original else None, name_of(meta, "action")),
        ("references", _deployment(restored) if restored else None, "rolled back to"),
    ]
    relations = tuple(
        Edge(subject, relation, thing, evidence=evidence)
        for relation, thing, evidence in found
        if thing is not None and thing.key != subject.key
    )
    if commit.thing is None or commit.branch is None:
        return relations
    return (*relations, Edge(commit.thing, "on_branch", commit.branch, evidence="githubCommitRef"))


def _states(
    event: Event,
    subject: Thing,
    transition: _Transition,
    environment: str,
    restored: str | None,
) -> tuple[StateChange, ...]:
    """The deployment's own state, and which one serves its environment now.

    A preview serves its own address alone. A success of production is taken as going live, as it
    does unless a project holds its production back; `promoted` and `rollback` then say it outright.
    """
    at, rank, name = event.at, transition.rank, transition.name
    if name == "cleanup":
        return (deletion(subject, at),)
    found: list[StateChange] = []
    if transition.state is not None:
        details = {"environment": environment}
        found.append(
            StateChange(subject, "status", transition.state, at, rank, name, metadata=details)
        )
    live = subject
    if restored is not None:
        live = _deployment(restored)
        found.append(StateChange(live, "status", "promoted", at, rank, name))
    elif name == "rollback":
        return tuple(found)
    if transition.goes_live and environment != "preview" and event.project is not None:
        state_type = f"live_deployment:{environment}"
        found.append(StateChange(event.project, state_type, live.key, at, rank, name))
    return tuple(found)


def _references(event: Event, subject: Thing, commit: Commit) -> tuple[Reference, ...]:
    found: list[Reference] = []
    if commit.sha:
        found.append(Reference("commit", commit.sha, commit.thing.url if commit.thing else None))
    if commit.ref:
        found.append(Reference("branch", commit.ref))
    if commit.pull is not None:
        found.append(Reference("pr", f"#{commit.pull_request}", commit.pull.url))
    found.append(Reference("deployment", subject.key.rpartition(":")[2], subject.url))
    if event.project is not None:
        project = event.project
        found.append(
            Reference("project", project.key.rpartition(":")[2], project.url, project.name)
        )
    return tuple(found)


def _content(
    event: Event,
    transition: _Transition,
    commit: Commit,
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
        text(child(event.inner, "deployment"), "errorMessage"),
        commit.message,
    )


def _metadata(
    event: Event, identity: str, commit: Commit, environment: str, check: str | None
) -> dict[str, Any]:
    inner = event.inner
    regions = inner.get("regions")
    return {
        "webhookId": event.id,
        "deploymentId": identity,
        "deploymentUrl": _address(event),
        "inspectorUrl": url(child(inner, "links"), "deployment"),
        "projectId": project_id(inner),
        "projectName": project_name(inner),
        "teamId": event.team_id,
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
    }
