"""Builders of GitHub's smaller webhook payloads: small changes, comments, reviews, checks, deployments.

They extend the larger payloads in `payloads`.
"""

from __future__ import annotations

from typing import Any

from tests.providers.github.payloads import (
    CHANGED_AT,
    OPENED_AT,
    Json,
    discussion,
    issue,
    pull_request,
    repository,
    sha,
    user,
)

LABEL = {"id": 1, "name": "bug"}
MILESTONE = {"number": 3, "title": "Spring", "html_url": "https://github.com/acme/shop/milestone/3"}


def comment_of(item: Json, body: str | None = "Have a look at #7.", **more: Any) -> Json:
    """The payload of `issue_comment` (or a discussion's), made from the item's own payload."""
    identity = more.pop("comment_id", 550)
    action = more.pop("action", "created")
    comment = {
        "id": identity,
        "html_url": f"https://github.com/acme/shop/issues/5#issuecomment-{identity}",
        "user": user("lin"),
        "body": body,
        "created_at": OPENED_AT,
        "updated_at": CHANGED_AT if action == "edited" else OPENED_AT,
        "author_association": "MEMBER",
        **more,
    }
    return {**item, "action": action, "comment": comment, "sender": user("lin")}


def issue_comment(body: str | None = "Have a look at #7.", **more: Any) -> Json:
    return comment_of(issue("opened"), body, **more)


def review_comment(body: str = "Rename this.", **more: Any) -> Json:
    place = {
        "path": "shop/cart.py",
        "line": 12,
        "commit_id": sha("acme/shop#1 head"),
        "pull_request_review_id": 70,
    }
    return comment_of(pull_request("opened"), body, **{**place, **more})


def discussion_comment(body: str = "Euros.", **more: Any) -> Json:
    return comment_of(discussion("created"), body, **more)


def commit_comment(body: str = "Why?", **more: Any) -> Json:
    envelope = {"repository": repository(), "installation": {"id": 7}}
    return comment_of(envelope, body, **{"commit_id": sha("c"), "path": None, **more})


def review(
    state: str = "approved", body: str | None = "Well done.", action: str = "submitted"
) -> Json:
    return {
        **pull_request("opened"),
        "action": action,
        "review": {
            "id": 70,
            "user": user("lin"),
            "body": body,
            "state": state,
            "submitted_at": CHANGED_AT,
            "commit_id": sha("acme/shop#1 head"),
            "html_url": "https://github.com/acme/shop/pull/1#pullrequestreview-70",
        },
        "sender": user("lin"),
    }


def deployment(ref: str = "main", environment: str = "production") -> Json:
    return {
        "action": "created",
        "deployment": {
            "id": 40,
            "sha": sha("c"),
            "ref": ref,
            "task": "deploy",
            "environment": environment,
            "production_environment": environment == "production",
            "creator": user("ada"),
            "created_at": OPENED_AT,
            "updated_at": OPENED_AT,
        },
        "repository": repository(),
        "sender": user("ada"),
    }


def deployment_status(
    state: str = "success", status_id: int = 90, at: str = CHANGED_AT, **more: Any
) -> Json:
    status = {
        "id": status_id,
        "state": state,
        "created_at": at,
        "updated_at": at,
        "environment_url": "https://shop.acme.test",
    }
    return {**deployment(**more), "deployment_status": status}


def workflow_run(
    conclusion: str | None = "failure", action: str = "completed", attempt: int = 1, **more: Any
) -> Json:
    return {
        "action": action,
        "workflow": {"id": 2, "name": "CI"},
        "workflow_run": {
            "id": 30,
            "name": "CI",
            "head_branch": "main",
            "head_sha": sha("c"),
            "head_commit": {
                "message": "Add a cart",
                "author": {"name": "Ada", "email": "a@b.test"},
            },
            "head_repository": {"id": 1},
            "display_title": "Add a cart",
            "run_number": 12,
            "run_attempt": attempt,
            "event": "push",
            "conclusion": conclusion,
            "pull_requests": [
                {
                    "number": 1,
                    "head": {"ref": "cart", "sha": sha("d"), "repo": {"id": 2}},
                    "base": {"repo": {"id": 1}},
                }
            ],
            "actor": user("ada"),
            "html_url": "https://github.com/acme/shop/actions/runs/30",
            "created_at": OPENED_AT,
            "updated_at": CHANGED_AT,
            **more,
        },
        "repository": repository(),
        "sender": user("ada"),
    }


def check_suite(conclusion: str = "failure", app: str = "circleci", at: str = CHANGED_AT) -> Json:
    return {
        "action": "completed",
        "check_suite": {
            "id": 31,
            "head_branch": "main",
            "head_sha": sha("c"),
            "head_commit": {"message": "Add a cart"},
            "conclusion": conclusion,
            "app": {"slug": app, "name": app},
            "pull_requests": [],
            "created_at": OPENED_AT,
            "updated_at": at,
        },
        "repository": repository(),
        "sender": user("ada"),
    }


def ref(event: str = "create", kind: str = "branch", name: str = "cart") -> Json:
    """The payload of `create` or `delete`."""
    return {
        "ref": name,
        "ref_type": kind,
        "repository": {**repository(), "pushed_at": CHANGED_AT},
        "sender": user("ada"),
        **({"master_branch": "main"} if event == "create" else {}),
    }
