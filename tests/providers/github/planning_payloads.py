"""Builders of GitHub's webhook payloads about plans, queues, reviews of deployments, and alerts."""

from __future__ import annotations

from typing import Any

from tests.providers.github.more_payloads import comment_of, deployment, workflow_run
from tests.providers.github.payloads import (
    CHANGED_AT,
    OPENED_AT,
    Json,
    issue,
    pull_request,
    repository,
    sha,
    user,
)


def _envelope(action: str, **more: Any) -> Json:
    return {"action": action, "repository": repository(), "sender": user("ada"), **more}


def review_thread(action: str = "resolved", **more: Any) -> Json:
    told = comment_of(pull_request("opened"), "Rename this.", comment_id=71, path="shop/cart.py")
    first = told.pop("comment")
    return {
        **told,
        "action": action,
        "thread": {"node_id": "PRRT_x", "comments": [first]},
        "updated_at": CHANGED_AT,
        **more,
    }


def deployment_review(action: str = "requested", **more: Any) -> Json:
    run = workflow_run(None)["workflow_run"]
    told: Json = {"workflow_run": run, "since": CHANGED_AT, "environment": "production"}
    if action == "requested":
        told["reviewers"] = [
            {"type": "User", "reviewer": user("lin")},
            {"type": "Team", "reviewer": {"id": 4, "slug": "release"}},
        ]
    else:
        told |= {"approver": user("lin"), "comment": "Go.", "environment": None}
        told["workflow_job_runs"] = [{"id": 1, "environment": "production"}]
    return _envelope(action, **{**told, **more})


def protection_rule(**more: Any) -> Json:
    return {
        **deployment(),
        "action": "requested",
        "environment": "production",
        "event": "push",
        "deployment_callback_url": "https://api.github.com/callback",
        "pull_requests": [{"number": 1, "title": "Add a cart"}],
        **more,
    }


def merge_group(
    action: str = "checks_requested", reason: str | None = None, number: int = 12
) -> Json:
    group = {
        "head_sha": sha("group"),
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-{number}-{sha('base')}",
        "base_sha": sha("base"),
        "base_ref": "refs/heads/main",
        "head_commit": {"id": sha("group"), "message": "Cart", "timestamp": OPENED_AT},
    }
    payload = _envelope(action, merge_group=group)
    payload["repository"]["pushed_at"] = CHANGED_AT
    return {**payload, "reason": reason} if reason else payload


def milestone(action: str = "created", **more: Any) -> Json:
    told = {
        "id": 31,
        "number": 3,
        "title": "Spring",
        "description": "What ships first, see #7.",
        "state": "closed" if action == "closed" else "open",
        "creator": user("grace"),
        "html_url": "https://github.com/acme/shop/milestone/3",
        "created_at": OPENED_AT,
        "updated_at": CHANGED_AT,
        "closed_at": CHANGED_AT if action == "closed" else None,
        "due_on": "2024-06-01T00:00:00Z",
        **more,
    }
    return _envelope(action, milestone=told)


def _issue(number: int, at: str = CHANGED_AT) -> Json:
    found: Json = issue("opened", number=number, title=f"Issue {number}")["issue"]
    return {**found, "updated_at": at}


def sub_issue(
    action: str = "sub_issue_added", child: int = 5, parent: int = 4, at: str = CHANGED_AT
) -> Json:
    """As GitHub sends it to the repository of one or the other issue."""
    other = "sub_issue_repo" if action.startswith("sub") else "parent_issue_repo"
    return _envelope(
        action,
        sub_issue=_issue(child, at),
        parent_issue=_issue(parent, at),
        **{other: repository()},
    )


def dependency(action: str = "blocked_by_added", blocked: int = 5, blocking: int = 4) -> Json:
    other = "blocking_issue_repo" if action.startswith("blocked") else "blocked_issue_repo"
    return _envelope(
        action,
        blocked_issue=_issue(blocked),
        blocking_issue=_issue(blocking),
        **{other: repository()},
    )


def project_item(action: str = "edited", **more: Any) -> Json:
    return {
        "action": action,
        "projects_v2_item": {
            "id": 81,
            "node_id": "PVTI_a",
            "project_node_id": "PVT_b",
            "content_node_id": "I_c",
            "content_type": "Issue",
            "creator": user("grace"),
            "created_at": OPENED_AT,
            "updated_at": CHANGED_AT,
            "archived_at": CHANGED_AT if action == "archived" else None,
        },
        "organization": {"id": 9, "login": "acme"},
        "sender": user("ada"),
        **more,
    }


def status_field(name: str) -> Json:
    """The part of a project item's payload with its new status."""
    return {"field_value": {"field_name": "Status", "from": None, "to": {"id": "x", "name": name}}}


def dependabot_alert(action: str = "created", severity: str = "high", **more: Any) -> Json:
    package = {"ecosystem": "npm", "name": "semver"}
    alert = {
        "number": 20,
        "state": "open",
        "dependency": {"package": package, "manifest_path": "web/package-lock.json"},
        "security_advisory": {
            "ghsa_id": "GHSA-aaaa-bbbb-cccc",
            "cve_id": "CVE-2024-1",
            "summary": "Slow regular expression",
        },
        "security_vulnerability": {
            "package": package,
            "severity": severity,
            "vulnerable_version_range": "< 7.5.2",
            "first_patched_version": {"identifier": "7.5.2"},
        },
        "html_url": "https://github.com/acme/shop/security/dependabot/20",
        "created_at": OPENED_AT,
        "updated_at": CHANGED_AT,
        "fixed_at": CHANGED_AT if action == "fixed" else None,
        "dismissed_at": CHANGED_AT if action == "dismissed" else None,
        "dismissed_reason": "tolerable_risk" if action == "dismissed" else None,
        **more,
    }
    return _envelope(action, alert=alert)


def code_scanning_alert(action: str = "created", **more: Any) -> Json:
    alert = {
        "number": 10,
        "state": "fixed" if action == "fixed" else "open",
        "rule": {"id": "py/sql", "severity": "error", "description": "Query from user input"},
        "tool": {"name": "CodeQL"},
        "most_recent_instance": {
            "ref": "refs/pull/11/merge",
            "commit_sha": sha("c"),
            "location": {"path": "shop/cart.py", "start_line": 8},
            "message": {"text": "This query depends on a user."},
        },
        "created_at": OPENED_AT,
        "updated_at": CHANGED_AT,
        "fixed_at": CHANGED_AT if action == "fixed" else None,
        **more,
    }
    return _envelope(action, alert=alert, ref="refs/heads/main", commit_oid=sha("c"))


def secret_scanning_alert(action: str = "created", **more: Any) -> Json:
    alert = {
        "number": 30,
        "secret_type": "stripe_api_key",
        "secret_type_display_name": "Stripe API Key",
        "secret": "sk_live_do_not_keep",
        "resolution": "revoked" if action == "resolved" else None,
        "resolution_comment": "it was sk_live_do_not_keep",
        "resolved_at": CHANGED_AT if action == "resolved" else None,
        "validity": "active",
        "created_at": OPENED_AT,
        "updated_at": CHANGED_AT,
        **more,
    }
    return _envelope(action, alert=alert)
