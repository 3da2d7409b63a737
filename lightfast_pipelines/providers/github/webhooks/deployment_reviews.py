"""`deployment_review` and `deployment_protection_rule`: a deployment waits for approval.

A review belongs to a workflow run, whose jobs wait. A protection rule belongs to an app and concerns the
deployment itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reading, StateChange, Thing, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    content_of,
    first_time,
    latest,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import host
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.checks import add_origin, add_pull_requests
from lightfast_pipelines.providers.github.webhooks.deployments import add_deployed, deployment_thing
from lightfast_pipelines.providers.github.webhooks.item_kinds import PULL_REQUEST
from lightfast_pipelines.providers.github.webhooks.outcomes import unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _Verdict:
    tag: str
    state: str
    rank: int
    weight: int


_VERDICTS = {
    "requested": _Verdict("Deployment Review Requested", "waiting", 1, 25),
    "approved": _Verdict("Deployment Approved", "approved", 2, 30),
    "rejected": _Verdict("Deployment Rejected", "rejected", 2, 45),
}
RULES = (
    *(
        EventRule("deployment_review", action, "delivered", (f"deployment-review.{action}",))
        for action in _VERDICTS
    ),
    EventRule(
        "deployment_protection_rule",
        "requested",
        "delivered",
        ("deployment.protection-requested",),
        "the app's decision arrives as a status of the deployment",
    ),
)


def read_review(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no run, repository or time."""
    action = text(payload, "action") or ""
    verdict = _VERDICTS.get(action)
    if verdict is None:
        return unknown_action("deployment_review", action)
    repository, run = repository_of(payload), needed_child(payload, "workflow_run")
    identity = host.identity(run)
    if identity is None:
        raise Missing("workflow_run.id")
    since = time(payload, "since")
    at = since if action == "requested" else None
    at = at or latest(since, time(run, "updated_at"), time(run, "created_at"))
    if at is None:
        raise Missing("since")
    environments = _environments(payload)
    name, number = text(run, "name") or "workflow", whole(run, "run_number")
    key = github_keys.workflow_run(identity)
    subject = Thing(key, f"{name} #{number}"[:200] if number else name[:200], url(run))
    builder = GitHubStatementBuilder(repository, subject)
    branch = name_of(run, "head_branch")
    add_origin(builder, run, branch, name_of(run, "head_sha"))
    add_pull_requests(builder, run)
    for reviewer in children(payload, "reviewers"):
        if name_of(reviewer, "type") == "User":
            builder.add_people("reviewer", [reviewer.get("reviewer")])
    where = ", ".join(environments) or "an environment"
    attempt = whole(run, "run_attempt") or 1
    doer = account(payload.get("approver")) or account(payload.get("sender"))
    statement = builder.build(
        source_id=keys.source_id(
            key, f"deployment-review.{action}", f"{where[:200]}@{attempt}@{moment_key(at)}"
        ),
        source_type=f"deployment-review.{action}",
        occurred_at=at,
        title=titled(verdict.tag, f"{name} to {where}"),
        content=content_of(f"{verdict.tag}: {name} to {where}", text(payload, "comment")),
        base_significance=verdict.weight,
        actor=doer,
        author=account(run.get("actor")),
        states=tuple(
            StateChange(
                subject, f"deployment_review:{name}", verdict.state, at, verdict.rank, action
            )
            for name in environments
        ),
        metadata={
            "runId": str(identity),
            "runAttempt": attempt,
            "environments": environments,
            "action": action,
            "branch": branch,
        },
        updated_at=at,
        link_text="",
        branch=branch,
    )
    return Understood((statement,))


def _environments(payload: Mapping[str, Any]) -> list[str]:
    jobs = [child(payload, "workflow_job_run"), *children(payload, "workflow_job_runs")]
    names = [name_of(payload, "environment"), *(name_of(job, "environment") for job in jobs)]
    return sorted({name[:200] for name in names if name})


def read_rule(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no deployment, repository or time."""
    action = text(payload, "action") or ""
    if action != "requested":
        return unknown_action("deployment_protection_rule", action)
    repository, deployment = repository_of(payload), needed_child(payload, "deployment")
    at = first_time(deployment, "updated_at", "created_at")
    if at is None:
        raise Missing("deployment.updated_at")
    environment = name_of(payload, "environment") or name_of(deployment, "environment") or "?"
    subject = deployment_thing(repository, deployment, environment)
    builder = GitHubStatementBuilder(repository, subject)
    add_deployed(builder, deployment, name_of(deployment, "ref"))
    for pull in children(payload, "pull_requests"):
        if whole(pull, "number") is not None:
            number, pull_request = PULL_REQUEST.entity(repository, pull)
            builder.refer("pr", f"#{number}", pull_request.url)
            builder.mention(pull_request)
    creator = account(deployment.get("creator"))
    statement = builder.build(
        source_id=keys.source_id(subject.key, "protection-requested", moment_key(at)),
        source_type="deployment.protection-requested",
        occurred_at=at,
        title=titled("Deployment Waiting for a Rule", subject.name),
        content=content_of(f"The deployment to {environment} waits for a protection rule."),
        base_significance=15,
        actor=account(payload.get("sender")) or creator,
        author=creator,
        states=(
            StateChange(
                subject,
                "status",
                "waiting",
                at,
                1,
                "protection-requested",
                {"environment": environment},
            ),
        ),
        metadata={
            "deploymentId": subject.key.rpartition(":")[2],
            "environment": environment,
            "trigger": name_of(payload, "event"),
        },
        updated_at=at,
        link_text="",
    )
    return Understood((statement,))
