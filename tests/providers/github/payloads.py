"""Builders of GitHub's webhook payloads: sensible defaults, each of which can be overridden.

Small and written by hand after docs.github.com's pages; other tests may use them as well.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lightfast_pipelines.providers.github.webhooks.signature import sign

Json = dict[str, Any]

OPENED_AT = "2024-05-01T10:00:00Z"
CHANGED_AT = "2024-05-02T12:00:00Z"
NOBODY = "0" * 40


def sha(seed: object) -> str:
    """A commit id that is the same for the same seed."""
    return hashlib.sha1(str(seed).encode()).hexdigest()


def delivery_headers(
    event: str, body: bytes, secret: bytes = b"secret", delivery_id: str = "d-1", **more: str
) -> dict[str, str]:
    """The headers (lower case) with which GitHub would send `body`."""
    return {
        "x-github-event": event,
        "x-github-delivery": delivery_id,
        "x-hub-signature-256": sign(body, secret),
        "content-type": "application/json",
        **more,
    }


def encoded(payload: Json) -> bytes:
    """A payload's body as GitHub writes it."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def user(login: str = "ada", user_id: int | None = None, kind: str = "User") -> Json:
    number = user_id if user_id is not None else int(sha(login)[:7], 16)
    return {
        "login": login,
        "id": number,
        "type": kind,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "html_url": f"https://github.com/{login}",
    }


def repository(repo: str = "acme/shop", repo_id: int = 1, **more: Any) -> Json:
    owner, name = repo.split("/")
    return {
        "id": repo_id,
        "name": name,
        "full_name": repo,
        "private": False,
        "archived": False,
        "owner": user(owner, kind="Organization"),
        "html_url": f"https://github.com/{repo}",
        "default_branch": "main",
        "updated_at": OPENED_AT,
        **more,
    }


def _envelope(
    repo: str, repo_id: int, sender: str | Json | None, installation_id: int | None
) -> Json:
    envelope: Json = {"repository": repository(repo, repo_id)}
    if sender is not None:
        envelope["sender"] = user(sender) if isinstance(sender, str) else sender
    if installation_id is not None:
        envelope["installation"] = {"id": installation_id}
    return envelope


def pull_request(
    action: str = "opened",
    number: int = 1,
    repo: str = "acme/shop",
    repo_id: int = 1,
    *,
    title: str = "Add a cart",
    body: str | None = "The cart holds what will be bought.",
    author: str = "ada",
    sender: str | Json | None = "ada",
    merged: bool = False,
    draft: bool = False,
    created_at: str = OPENED_AT,
    at: str | None = None,
    head: str = "feature/cart",
    head_sha: str | None = None,
    merge_sha: str | None = None,
    reviewers: tuple[str, ...] = (),
    assignees: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    installation_id: int | None = 7,
    **more: Any,
) -> Json:
    """`at` is the action's own time; `more` overrides fields of the `pull_request` object."""
    moment = at or (created_at if action == "opened" else CHANGED_AT)
    closed = action == "closed"
    return {
        "action": action,
        "number": number,
        "pull_request": {
            "id": repo_id * 100_000 + number,
            "number": number,
            "html_url": f"https://github.com/{repo}/pull/{number}",
            "state": "closed" if closed else "open",
            "title": title,
            "body": body,
            "user": user(author),
            "draft": draft,
            "merged": merged,
            "created_at": created_at,
            "updated_at": moment,
            "closed_at": moment if closed else None,
            "merged_at": moment if merged else None,
            "merged_by": user(sender) if merged and isinstance(sender, str) else None,
            # Set on open pull requests too: the commit of GitHub's trial merge.
            "merge_commit_sha": merge_sha or sha(f"{repo}#{number} merge"),
            "head": {
                "ref": head,
                "sha": head_sha or sha(f"{repo}#{number} head"),
                "repo": repository(repo, repo_id),
            },
            "base": {"ref": "main", "sha": sha(f"{repo} base"), "repo": repository(repo, repo_id)},
            "requested_reviewers": [user(login) for login in reviewers],
            "requested_teams": [],
            "assignees": [user(login) for login in assignees],
            "labels": [{"id": 1, "name": name} for name in labels],
            "milestone": None,
            "additions": 10,
            "deletions": 2,
            "changed_files": 3,
            **more,
        },
        **_envelope(repo, repo_id, sender, installation_id),
    }


def commit(
    message: str = "Add a cart",
    *,
    commit_sha: str | None = None,
    at: str = OPENED_AT,
    author: str = "Ada",
    email: str = "ada@acme.test",
    username: str | None = None,
    committer: Json | None = None,
    added: tuple[str, ...] = (),
    modified: tuple[str, ...] = ("shop/cart.py",),
    removed: tuple[str, ...] = (),
    repo: str = "acme/shop",
    **more: Any,
) -> Json:
    """A commit of a push; without `sha` the id is made from message and time."""
    identity = commit_sha or sha(f"{message}{at}{author}")
    person: Json = {"name": author, "email": email, "date": at}
    if username is not None:
        person["username"] = username
    return {
        "id": identity,
        "distinct": True,
        "message": message,
        "timestamp": at,
        "url": f"https://github.com/{repo}/commit/{identity}",
        "author": person,
        "committer": committer or person,
        "added": list(added),
        "modified": list(modified),
        "removed": list(removed),
        **more,
    }


def web_flow(at: str = OPENED_AT) -> Json:
    """The committer where GitHub's own buttons commit."""
    return {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow", "date": at}


def push(
    commits: list[Json] | None = None,
    ref: str = "refs/heads/main",
    repo: str = "acme/shop",
    repo_id: int = 1,
    *,
    before: str | None = None,
    after: str | None = None,
    forced: bool = False,
    sender: str | Json | None = "ada",
    pushed_at: int | None = 1_714_644_000,
    installation_id: int | None = 7,
    **more: Any,
) -> Json:
    """`commits` oldest first. For a deletion: no commits and `after=NOBODY`."""
    pushed = [commit(repo=repo)] if commits is None else commits
    head = pushed[-1] if pushed else None
    new_head = after or (head["id"] if head else NOBODY)
    payload: Json = {
        "ref": ref,
        "before": before if before is not None else sha(f"{repo} before"),
        "after": new_head,
        "created": before == NOBODY,
        "deleted": new_head == NOBODY,
        "forced": forced,
        "base_ref": None,
        "commits": pushed,
        "head_commit": head,
        "pusher": {"name": "ada", "email": "ada@acme.test"},
        **_envelope(repo, repo_id, sender, installation_id),
    }
    if pushed_at is not None:
        payload["repository"]["pushed_at"] = pushed_at
    return {**payload, **more}


def issue(
    action: str = "opened",
    number: int = 5,
    repo: str = "acme/shop",
    repo_id: int = 1,
    *,
    title: str = "The cart is empty",
    body: str | None = "After a reload nothing is left.",
    author: str = "grace",
    sender: str | Json | None = "grace",
    created_at: str = OPENED_AT,
    at: str | None = None,
    state_reason: str | None = None,
    assignees: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    installation_id: int | None = 7,
    **more: Any,
) -> Json:
    """An `issues` payload; `more` overrides fields of the `issue` object."""
    moment = at or (created_at if action == "opened" else CHANGED_AT)
    closed = action == "closed"
    return {
        "action": action,
        "issue": {
            "id": repo_id * 100_000 + number,
            "number": number,
            "html_url": f"https://github.com/{repo}/issues/{number}",
            "title": title,
            "body": body,
            "user": user(author),
            "state": "closed" if closed else "open",
            "state_reason": state_reason or ("completed" if closed else None),
            "created_at": created_at,
            "updated_at": moment,
            "closed_at": moment if closed else None,
            "assignees": [user(login) for login in assignees],
            "labels": [{"id": 1, "name": name} for name in labels],
            "milestone": None,
            **more,
        },
        **_envelope(repo, repo_id, sender, installation_id),
    }


def release(
    action: str = "published",
    tag: str = "v1.0.0",
    repo: str = "acme/shop",
    repo_id: int = 1,
    *,
    name: str | None = "One",
    body: str | None = "The first release.",
    author: str = "ada",
    sender: str | Json | None = "ada",
    target: str = "main",
    draft: bool = False,
    prerelease: bool = False,
    created_at: str = OPENED_AT,
    published_at: str | None = CHANGED_AT,
    installation_id: int | None = 7,
    **more: Any,
) -> Json:
    """`more` overrides fields of the `release` object."""
    return {
        "action": action,
        "release": {
            "id": 9,
            "tag_name": tag,
            "target_commitish": target,
            "name": name,
            "body": body,
            "draft": draft,
            "prerelease": prerelease,
            "created_at": created_at,
            "published_at": published_at,
            "html_url": f"https://github.com/{repo}/releases/tag/{tag}",
            "author": user(author),
            **more,
        },
        **_envelope(repo, repo_id, sender, installation_id),
    }


def discussion(
    action: str = "created",
    number: int = 8,
    repo: str = "acme/shop",
    repo_id: int = 1,
    *,
    title: str = "Which currency?",
    body: str | None = "Prices are in euros.",
    author: str = "grace",
    sender: str | Json | None = "grace",
    category: str = "Q&A",
    created_at: str = OPENED_AT,
    at: str | None = None,
    installation_id: int | None = 7,
    **more: Any,
) -> Json:
    """`more` overrides fields of the `discussion` object."""
    moment = at or (created_at if action == "created" else CHANGED_AT)
    answered = action == "answered"
    payload: Json = {
        "action": action,
        "discussion": {
            "id": 11,
            "number": number,
            "html_url": f"https://github.com/{repo}/discussions/{number}",
            "title": title,
            "body": body,
            "user": user(author),
            "category": {"id": 2, "name": category, "slug": "q-a", "is_answerable": True},
            "state": "closed" if action == "closed" else "open",
            "answer_html_url": None,
            "answer_chosen_at": moment if answered else None,
            "answer_chosen_by": user("ada") if answered else None,
            "created_at": created_at,
            "updated_at": moment,
            **more,
        },
        **_envelope(repo, repo_id, sender, installation_id),
    }
    if answered:
        payload["answer"] = {
            "id": 550,
            "html_url": f"https://github.com/{repo}/discussions/{number}#discussioncomment-550",
            "user": user("ada"),
            "body": "Euros it is.",
            "created_at": moment,
        }
    return payload


def ping(repo: str = "acme/shop", repo_id: int = 1) -> Json:
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": 3,
        "hook": {"type": "Repository", "id": 3, "events": ["*"]},
        **_envelope(repo, repo_id, "ada", None),
    }
