"""`workflow_run` and `check_suite`: how the checks of a commit ended.

Only the conclusion is kept. A check suite of GitHub Actions is left to its workflow run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Filtered,
    Parked,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    content_of,
    first_line,
    first_time,
    moment_key,
    name_of,
    needed_child,
    text,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account, commit_account
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.outcomes import unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import Repository, repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule

# conclusion -> (words for the title, base significance, resulting state)
_CONCLUSIONS = {
    "success": ("Succeeded", 10, "succeeded"),
    "failure": ("Failed", 55, "failed"),
    "startup_failure": ("Failed", 55, "failed"),
    "timed_out": ("Timed Out", 50, "failed"),
    "action_required": ("Needs Action", 25, "action_required"),
    "cancelled": ("Canceled", 12, "canceled"),
    "stale": ("Gone Stale", 8, "canceled"),
    "neutral": ("Ended Neutrally", 8, "neutral"),
    "skipped": ("Skipped", 5, "skipped"),
}
_ACTIONS_APP = "github-actions"
_NOT_ENDED = {
    "workflow_run": frozenset({"requested", "in_progress"}),
    "check_suite": frozenset({"requested", "rerequested"}),
}
RULES = (
    EventRule("workflow_run", "completed", "delivered", ("workflow-run.completed",)),
    EventRule(
        "check_suite",
        "completed",
        "delivered",
        ("check-suite.completed",),
        "filtered for GitHub Actions, whose workflow run reports it",
    ),
    *(
        EventRule(event, action, "filtered", note="only how it ended is kept")
        for event, actions in _NOT_ENDED.items()
        for action in sorted(actions)
    ),
)


@dataclass(frozen=True, slots=True)
class _Checks:
    """What differs between a workflow run and a check suite."""

    source_id: str
    source_type: str
    tag: str
    name: str
    facts: Mapping[str, Any]
    states: tuple[StateChange, ...] = ()


def read_workflow_run(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing."""
    early = _not_ended("workflow_run", payload)
    if early is not None:
        return early
    run = needed_child(payload, "workflow_run")
    conclusion = name_of(run, "conclusion")
    if conclusion is None:
        raise Missing("workflow_run.conclusion")
    if conclusion not in _CONCLUSIONS:
        return Parked(f"conclusion {conclusion[:100]} of workflow_run is not known yet")
    repository = repository_of(payload)
    run_id, at = identity(run), first_time(run, "updated_at", "created_at")
    if run_id is None or at is None:
        raise Missing("workflow_run.id" if run_id is None else "workflow_run.updated_at")
    name = text(run, "name") or text(child(payload, "workflow"), "name") or "workflow"
    number, attempt = whole(run, "run_number"), whole(run, "run_attempt") or 1
    key = github_keys.workflow_run(run_id)
    subject = Thing(key, f"{name} #{number}"[:200] if number else name[:200], url(run))
    state = StateChange(
        subject, "status", _CONCLUSIONS[conclusion][2], at, 3, conclusion, {"attempt": attempt}
    )
    described = _Checks(
        keys.source_id(key, "completed", attempt),
        "workflow-run.completed",
        "Workflow",
        name,
        {
            "runId": keys.bare_number(run_id),
            "runNumber": number,
            "runAttempt": attempt,
            "workflow": name[:200],
            "trigger": name_of(run, "event"),
        },
        (state,),
    )
    return Understood(
        (_statement(payload, run, GitHubStatementBuilder(repository, subject), at, described),)
    )


def read_check_suite(payload: Mapping[str, Any]) -> Reading:
    """The subject is the commit: a check suite has no entity of its own. Raises Missing."""
    early = _not_ended("check_suite", payload)
    if early is not None:
        return early
    suite = needed_child(payload, "check_suite")
    app = child(suite, "app")
    if name_of(app, "slug") == _ACTIONS_APP:
        return Filtered("a check suite of GitHub Actions is left to its workflow run")
    conclusion = name_of(suite, "conclusion")
    if conclusion is None:
        raise Missing("check_suite.conclusion")
    if conclusion not in _CONCLUSIONS:
        return Parked(f"conclusion {conclusion[:100]} of check_suite is not known yet")
    repository = repository_of(payload)
    suite_id, sha = identity(suite), name_of(suite, "head_sha")
    at = first_time(suite, "updated_at", "created_at")
    if suite_id is None or sha is None or not FULL_SHA.fullmatch(sha):
        raise Missing("check_suite.id" if suite_id is None else "check_suite.head_sha")
    if at is None:
        raise Missing("check_suite.updated_at")
    headline = first_line(text(child(suite, "head_commit"), "message") or "")
    subject = repository.commit(sha.lower(), headline[:200] or None)
    name = text(app, "name") or "checks"
    # A re-requested suite keeps its id.
    discriminator = f"{suite_id}@{moment_key(at)}"
    described = _Checks(
        keys.source_id(subject.key, "check-suite.completed", discriminator),
        "check-suite.completed",
        "Checks",
        name,
        {
            "checkSuiteId": keys.bare_number(suite_id),
            "app": name[:200],
            "checks": whole(suite, "latest_check_runs_count"),
        },
    )
    return Understood(
        (_statement(payload, suite, GitHubStatementBuilder(repository, subject), at, described),)
    )


def _not_ended(event: str, payload: Mapping[str, Any]) -> Reading | None:
    action = text(payload, "action")
    if action == "completed":
        return None
    if action in _NOT_ENDED[event]:
        return Filtered(f"{event} {action}: only how it ended is kept")
    return unknown_action(event, action)


def _statement(
    payload: Mapping[str, Any],
    checks: Mapping[str, Any],
    builder: GitHubStatementBuilder,
    at: datetime,
    described: _Checks,
) -> Statement:
    conclusion = name_of(checks, "conclusion") or ""
    words, weight, _ = _CONCLUSIONS[conclusion]
    branch, sha = name_of(checks, "head_branch"), name_of(checks, "head_sha")
    commit = child(checks, "head_commit")
    add_origin(builder, checks, branch, sha)
    numbers = add_pull_requests(builder, checks)
    headline = first_line(text(checks, "display_title") or text(commit, "message") or "")
    actor = checks.get("triggering_actor") or checks.get("actor") or payload.get("sender")
    return builder.build(
        source_id=described.source_id,
        source_type=described.source_type,
        occurred_at=at,
        title=titled(
            f"{described.tag} {words}", f"{described.name} on {branch or (sha or '')[:7]}"
        ),
        content=content_of(f"{described.name}: {conclusion}", headline),
        base_significance=weight,
        actor=account(actor),
        author=commit_account(commit.get("author")),
        states=described.states,
        metadata={
            **described.facts,
            "conclusion": conclusion,
            "branch": branch,
            "sha": sha,
            "pullRequests": numbers,
        },
        updated_at=at,
        # The text is the commit's or pull request's, and is searched along with that commit or pull
        # request.
        link_text="",
        branch=branch,
    )


def add_origin(
    builder: GitHubStatementBuilder, checks: Mapping[str, Any], branch: str | None, sha: str | None
) -> None:
    """Adds the commit, and its branch if that belongs to this repository."""
    if sha is not None and FULL_SHA.fullmatch(sha):
        commit = builder.repository.commit(sha.lower())
        builder.refer("commit", sha.lower(), commit.url)
        if commit.key != builder.subject.key:
            builder.relate("references", commit)
    if branch is None:
        return
    head = identity(child(checks, "head_repository"))
    if head is not None and head != builder.repository.id:
        builder.refer("branch", branch)
        return
    thing = builder.repository.branch(branch)
    builder.refer("branch", branch, thing.url)
    builder.mention(thing)


def add_pull_requests(builder: GitHubStatementBuilder, checks: Mapping[str, Any]) -> list[int]:
    """Adds the pull requests that the checks ran for; a fork's belong to another repository."""
    numbers: list[int] = []
    for pull in children(checks, "pull_requests"):
        number, base = whole(pull, "number"), child(child(pull, "base"), "repo")
        base_id = identity(base)
        if number is None or base_id is None:
            continue
        numbers.append(number)
        repository = (
            builder.repository
            if base_id == builder.repository.id
            else Repository(base_id, None, None, None)
        )
        thing = Thing(
            keys.github_pull_request(base_id, number),
            f"#{number}",
            repository.page("pull", str(number)),
        )
        builder.refer("pr", f"#{number}", thing.url)
        builder.mention(thing)
        head = GitHubStatementBuilder(repository, thing)
        head.add_head(pull)
        builder.edges += head.edges
    return numbers
