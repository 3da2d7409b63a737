"""Whether a body can be of the event that its header names.

Only the body is signed: whoever can send a delivery again could name another event in the header,
and turn the deletion of a star into that of a repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What of a body's first level belongs to which event. An event that is not here is not known
# well enough to be checked; nothing is made of it either.
_MARKS: Mapping[str, frozenset[str]] = {
    event: frozenset(marks.split())
    for event, marks in {
        "branch_protection_rule": "rule",
        "check_run": "check_run",
        "check_suite": "check_suite",
        "code_scanning_alert": "alert",
        "commit_comment": "comment",
        "create": "ref_type",
        "delete": "ref_type",
        "dependabot_alert": "alert",
        "deploy_key": "key",
        "deployment": "deployment workflow_run",
        "deployment_protection_rule": "deployment",
        "deployment_review": "workflow_run comment",
        "deployment_status": "deployment deployment_status workflow_run check_run",
        "discussion": "discussion label",
        "discussion_comment": "discussion comment",
        "fork": "forkee",
        "github_app_authorization": "",
        "installation": "",
        "installation_repositories": "repositories_added repositories_removed",
        "issue_comment": "issue comment",
        "issue_dependencies": "",
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
        "secret_scanning_alert": "alert",
        "repository": "",
        "repository_dispatch": "client_payload",
        "repository_import": "",
        "sponsorship": "sponsorship",
        "star": "starred_at",
        "sub_issues": "",
        "status": "branches",
        "team": "team",
        "team_add": "team",
        "watch": "",
        "workflow_dispatch": "inputs",
        "workflow_job": "workflow_job deployment",
        "workflow_run": "workflow_run",
    }.items()
}
# Marks of events that are not read: they say what a body is not.
_OTHERS = frozenset(
    {
        *("pages", "project", "project_card", "project_column", "projects_v2"),
        *("repository_ruleset", "security_advisory"),
    }
)
_ALL: frozenset[str] = frozenset().union(_OTHERS, *_MARKS.values())
# A connection's own events are about no repository, while any other event names the connection.
_ABOUT_NO_REPOSITORY = frozenset({"installation", "installation_repositories"})


def misfit(event: str, payload: Mapping[str, Any]) -> str | None:
    """What in the payload does not belong to the event; None where nothing speaks against it.

    A misfit is kept and parked, not refused: should GitHub add to an event what marks another
    today, nothing is lost.
    """
    allowed = _MARKS.get(event)
    if allowed is None:
        return None
    wrong = sorted((_ALL - allowed).intersection(payload))
    if not wrong and event in _ABOUT_NO_REPOSITORY and "repository" in payload:
        wrong = ["repository"]
    return f"event {event} does not fit a body with {wrong[0]}" if wrong else None
