"""GitHub's webhooks, as far as the story needs them (docs.github.com, "Webhook events").

Times are written as GitHub writes them. Ids that GitHub would assign are derived from what they
belong to, so that the same story has the same bytes. Reviews, comments and workflow runs are
in `github_reviews`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Person, StoryRepository
from lightfast_pipelines.demo.stage import Stage, StoryEvent

NOBODY = "0" * 40
_WEB_FLOW = {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"}


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the story; its id is derived from its repository, time and message."""

    place: StoryRepository
    author: Person
    at: datetime
    message: str
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    by_button: bool = False
    """Made by GitHub's own merge button, which then is its committer."""

    @property
    def sha(self) -> str:
        return _sha(f"{self.place.id} {self.at.isoformat()} {self.message}")

    @property
    def json(self) -> dict[str, Any]:
        return {
            "id": self.sha,
            "message": self.message,
            "timestamp": stamp(self.at),
            "url": f"{self.place.url}/commit/{self.sha}",
            "author": self.author.signature,
            "committer": _WEB_FLOW if self.by_button else self.author.signature,
            "added": list(self.added),
            "removed": [],
            "modified": list(self.changed),
            "distinct": True,
        }


@dataclass(frozen=True, slots=True)
class NumberedItem:
    """An issue, pull request or discussion: what stays the same over its events."""

    place: StoryRepository
    number: int
    author: Person
    created: datetime
    title: str
    body: str
    labels: tuple[str, ...] = ()
    branch: str = ""
    commits: tuple[Commit, ...] = ()

    def url(self, kind: str) -> str:
        return f"{self.place.url}/{kind}/{self.number}"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def number_of(text: str) -> int:
    """An id like GitHub's, always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def envelope(place: StoryRepository, sender: Person, action: str | None = None) -> dict[str, Any]:
    """The fields that every payload of GitHub's has."""
    common: dict[str, Any] = {"repository": place.repository, "sender": sender.account}
    return {"action": action, **common} if action else common


def ping(place: StoryRepository, sender: Person, at: datetime) -> StoryEvent:
    hook = {"type": "Repository", "id": number_of("hook"), "active": True, "events": ["*"]}
    payload = {"zen": "Keep it logically awesome.", "hook_id": hook["id"], "hook": hook}
    return StoryEvent("github", "ping", at, {**payload, **envelope(place, sender)})


def push(
    sender: Person, branch: str, commits: Sequence[Commit], at: datetime, before: str = NOBODY
) -> StoryEvent:
    """New commits on a branch that was at `before`, or that is new; `at` is when GitHub received them."""
    head = commits[-1]
    pushed = _push(sender, f"refs/heads/{branch}", (before, head.sha), head, at, commits)
    pushed.payload["created"] = before == NOBODY
    return pushed


def push_to_main(
    stage: Stage, sender: Person, commits: Sequence[Commit], at: datetime
) -> StoryEvent:
    """New commits on the main branch, after those of the pushes that the story told before."""
    head = commits[-1]
    return push(sender, "main", commits, at, before=stage.advance_main(head.place, head.sha))


def push_tag(sender: Person, tag: str, commit: Commit, at: datetime) -> StoryEvent:
    pushed = _push(sender, f"refs/tags/{tag}", (NOBODY, commit.sha), commit, at)
    pushed.payload["created"] = True
    return pushed


def delete_branch(sender: Person, branch: str, last: Commit, at: datetime) -> StoryEvent:
    pushed = _push(sender, f"refs/heads/{branch}", (NOBODY, NOBODY), last, at)
    pushed.payload.update(before=last.sha, deleted=True, head_commit=None)
    return pushed


def _push(
    sender: Person,
    ref: str,
    ends: tuple[str, str],
    head: Commit,
    at: datetime,
    commits: Sequence[Commit] = (),
) -> StoryEvent:
    (before, after), place = ends, head.place
    payload = {
        "ref": ref,
        "before": before,
        "after": after,
        "created": False,
        "deleted": False,
        "forced": False,
        "compare": f"{place.url}/compare/{before[:12]}...{after[:12]}",
        "commits": [commit.json for commit in commits],
        "head_commit": head.json,
        "pusher": {"name": sender.login, "email": sender.email},
        **envelope(place, sender),
        "repository": {**place.repository, "pushed_at": int(at.timestamp())},
    }
    return StoryEvent("github", "push", at, payload)


def pull_request(
    item: NumberedItem,
    action: str = "opened",
    sender: Person | None = None,
    at: datetime | None = None,
    *,
    draft: bool = False,
    merge: Commit | None = None,
    reviewers: Sequence[Person] = (),
) -> StoryEvent:
    """`merge` is the merge commit, where the action is closing by a merge."""
    sender, at = sender or item.author, at or item.created
    closed = action == "closed"
    head = item.commits[-1]
    changed: dict[str, Any] = {}
    if action == "labeled":
        changed = {"label": _labels(item)[-1]}
    elif action == "review_requested":
        changed = {"requested_reviewer": reviewers[-1].account}
    elif action == "synchronize":
        changed = {"before": item.commits[-2].sha, "after": head.sha}
    files = {path for commit in item.commits for path in commit.changed + commit.added}
    payload = {
        **envelope(item.place, sender, action),
        **changed,
        "number": item.number,
        "pull_request": {
            "id": number_of(item.url("pull")),
            "number": item.number,
            "html_url": item.url("pull"),
            "state": "closed" if closed else "open",
            "title": item.title,
            "body": item.body,
            "user": item.author.account,
            "labels": _labels(item),
            "created_at": stamp(item.created),
            "updated_at": stamp(at),
            "closed_at": stamp(at) if closed else None,
            "merged_at": stamp(at) if merge else None,
            "merged": merge is not None,
            "merged_by": sender.account if merge else None,
            "merge_commit_sha": merge.sha if merge else None,
            "draft": draft,
            "requested_reviewers": [person.account for person in reviewers],
            "requested_teams": [],
            "assignees": [],
            "additions": 40 * len(item.commits),
            "deletions": 7 * len(item.commits),
            "changed_files": len(files),
            "head": {"ref": item.branch, "sha": head.sha, "repo": item.place.repository},
            "base": {"ref": "main", "sha": NOBODY, "repo": item.place.repository},
        },
    }
    return StoryEvent("github", "pull_request", at, payload)


def issue(
    item: NumberedItem,
    action: str = "opened",
    sender: Person | None = None,
    at: datetime | None = None,
    *,
    assignees: Sequence[Person] = (),
    label: dict[str, Any] | None = None,
) -> StoryEvent:
    sender, at = sender or item.author, at or item.created
    closed = action == "closed"
    payload = {
        **envelope(item.place, sender, action),
        "issue": {
            **_item(item, "issues"),
            "labels": _labels(item),
            "assignees": [person.account for person in assignees],
            "state": "closed" if closed else "open",
            "state_reason": {"closed": "completed", "reopened": "reopened"}.get(action),
            "created_at": stamp(item.created),
            "updated_at": stamp(at),
            "closed_at": stamp(at) if closed else None,
        },
        **({"assignee": assignees[-1].account} if action == "assigned" else {}),
        **({"label": label} if label else {}),
    }
    return StoryEvent("github", "issues", at, payload)


def _item(item: NumberedItem, kind: str) -> dict[str, Any]:
    return {
        "id": number_of(item.url(kind)),
        "number": item.number,
        "html_url": item.url(kind),
        "title": item.title,
        "body": item.body,
        "user": item.author.account,
    }


def _labels(item: NumberedItem) -> list[dict[str, Any]]:
    return [
        {"id": number_of(f"label {name}"), "name": name, "color": "c5def5", "default": False}
        for name in item.labels
    ]


def discussion(
    item: NumberedItem,
    *,
    answer: str | None = None,
    by: Person | None = None,
    at: datetime | None = None,
) -> StoryEvent:
    """A discussion is created; or, with `answer`, an answer is chosen."""
    sender, at = by or item.author, at or item.created
    link = f"{item.url('discussions')}#discussioncomment-{number_of(answer)}" if answer else None
    text: dict[str, Any] = {}
    if answer is not None:
        text["answer"] = {
            "id": number_of(answer),
            "html_url": link,
            "user": sender.account,
            "body": answer,
            "created_at": stamp(at),
            "updated_at": stamp(at),
        }
    payload = {
        **envelope(item.place, sender, "answered" if answer else "created"),
        "discussion": {
            **_item(item, "discussions"),
            "category": {"id": 1, "name": "Design", "slug": "design", "is_answerable": True},
            "state": "open",
            "created_at": stamp(item.created),
            "updated_at": stamp(at),
            "answer_html_url": link,
            "answer_chosen_at": stamp(at) if answer else None,
            "answer_chosen_by": sender.account if answer else None,
        },
        **text,
    }
    return StoryEvent("github", "discussion", at, payload)


def release(
    place: StoryRepository, sender: Person, tag: str, name: str, notes: str, at: datetime
) -> StoryEvent:
    payload = {
        **envelope(place, sender, "published"),
        "release": {
            "id": number_of(f"{place.id} {tag}"),
            "tag_name": tag,
            "target_commitish": "main",
            "name": name,
            "body": notes,
            "draft": False,
            "prerelease": False,
            "author": sender.account,
            "html_url": f"{place.url}/releases/tag/{tag}",
            "created_at": stamp(at),
            "published_at": stamp(at),
        },
    }
    return StoryEvent("github", "release", at, payload)


def registry_package(sender: Person, commit: Commit, at: datetime) -> StoryEvent:
    """An image of a commit is published: an event that the pipeline has no rule for."""
    place = commit.place
    package = {
        "id": place.id + 1,
        "name": place.name,
        "package_type": "CONTAINER",
        "html_url": f"{place.url}/pkgs/container/{place.name}",
        "package_version": {"version": commit.sha, "target_commitish": "main"},
    }
    payload = {**envelope(place, sender, "published"), "registry_package": package}
    return StoryEvent("github", "registry_package", at, payload)


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
