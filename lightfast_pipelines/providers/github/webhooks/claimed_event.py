"""Checks whether a body can belong to the event that its header names.

Only the body is signed. Anyone who can send a delivery again could name another event in the header,
and turn the deletion of a star into the deletion of a repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.providers.fields import child

# The fields that mark a body as one event's. We do not know events that are missing here well enough to
# check them, nor do we read them.
_MARKS: Mapping[str, frozenset[str]] = {
    event: frozenset(marks.split())
    for event, marks in {
        "branch_protection_rule": "rule",
        "check_run": "check_run",
        "check_suite": "check_suite",
        "code_scanning_alert": "alert alert.rule alert.tool",
        "commit_comment": "comment",
        "create": "ref_type master_branch",
        "delete": "ref_type",
        "dependabot_alert": "alert alert.dependency alert.security_advisory alert.security_vulnerability",
        "deploy_key": "key",
        "deployment": "deployment workflow_run",
        "deployment_protection_rule": "deployment deployment_callback_url",
        "deployment_review": "workflow_run comment approver requestor reviewers workflow_job_run workflow_job_runs",
        "deployment_status": "deployment deployment_status workflow_run check_run",
        "discussion": "discussion label",
        "discussion_comment": "discussion comment",
        "fork": "forkee",
        "github_app_authorization": "",
        "installation": "",
        "installation_repositories": "repositories_added repositories_removed",
        "installation_target": "account target_type",
        "issue_comment": "issue comment",
        "issue_dependencies": "blocked_issue blocking_issue",
        "issues": "issue label milestone",
        "label": "label",
        "marketplace_purchase": "marketplace_purchase",
        "member": "member",
        "membership": "member team",
        "merge_group": "merge_group",
        "meta": "hook",
        "milestone": "milestone",
        "org_block": "blocked_user",
        "organization": "membership invitation",
        "page_build": "build",
        "ping": "hook",
        "projects_v2_item": "projects_v2_item",
        "public": "",
        "pull_request": "pull_request label milestone",
        "pull_request_review": "pull_request review",
        "pull_request_review_comment": "pull_request comment",
        "pull_request_review_thread": "pull_request thread",
        "push": "commits",
        "release": "release",
        "secret_scanning_alert": "alert alert.secret_type",
        "repository": "",
        "repository_dispatch": "client_payload",
        "repository_import": "",
        "sponsorship": "sponsorship",
        "star": "starred_at",
        "sub_issues": "parent_issue sub_issue",
        "status": "branches",
        "team": "team",
        "team_add": "team",
        "watch": "",
        "workflow_dispatch": "inputs",
        "workflow_job": "workflow_job deployment",
        "workflow_run": "workflow_run",
    }.items()
}
# Marks of events that are not read: they show what a body is not.
_OTHERS = frozenset(
    {
        *("definition", "exemption_request", "new_property_values", "package", "pages", "project"),
        *("project_card", "project_column", "projects_v2", "projects_v2_status_update"),
        *("registry_package", "repository_advisory", "repository_ruleset", "security_advisory"),
    }
)
_ALL: frozenset[str] = frozenset().union(_OTHERS, *_MARKS.values())
# Events about a connection name no repository, while every other event names the connection.
_ABOUT_NO_REPOSITORY = frozenset({"installation", "installation_repositories"})
# Fields of which an event's body has at least one; without this check a shorter body of another event
# would pass.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "code_scanning_alert": ("alert.rule", "alert.tool"),
    "create": ("master_branch",),
    "dependabot_alert": (
        *("alert.dependency", "alert.security_advisory", "alert.security_vulnerability"),
    ),
    "deployment_review": (
        *("approver", "environment", "requestor", "reviewers", "since"),
        *("workflow_job_run", "workflow_job_runs"),
    ),
    # Every other event names its installation only by id.
    "installation": (
        *("installation.account", "installation.app_id", "installation.suspended_at"),
        *("repositories", "requester"),
    ),
    "installation_target": ("account", "target_type"),
    "secret_scanning_alert": ("alert.secret_type",),
}
# We do not read it, and old ones name the installation only by id.
_SAYS_NOTHING = (("installation", "new_permissions_accepted"),)


def misfit(event: str, payload: Mapping[str, Any]) -> str | None:
    """Why the payload cannot belong to the event; None if it can.

    A misfit is parked, not refused: if GitHub one day adds a field to an event that marks another one
    today, nothing is lost.
    """
    allowed = _MARKS.get(event)
    if allowed is None:
        return None
    present = _fields(payload)
    wrong = sorted((_ALL - allowed) & present)
    if not wrong and event in _ABOUT_NO_REPOSITORY and "repository" in payload:
        wrong = ["repository"]
    if wrong:
        return f"event {event} does not fit a body with {wrong[0]}"
    needed = _NEEDED.get(event)
    if needed is None or (event, payload.get("action")) in _SAYS_NOTHING:
        return None
    if present.isdisjoint(needed):
        return f"event {event} does not fit a body without {needed[0]}"
    return None


def _fields(payload: Mapping[str, Any]) -> set[str]:
    """The fields of the first level, and of two objects that events share but fill differently."""
    inner = (
        f"{name}.{field}" for name in ("alert", "installation") for field in child(payload, name)
    )
    return {*payload, *inner}
