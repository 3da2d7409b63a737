"""Bodies of GitHub's webhooks, as far as the story needs them (docs.github.com, "Webhook events").

Times are written as GitHub writes them. Ids that GitHub would give out are derived from what they
belong to, so that the same story has the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Person, StoryRepository

NOBODY = "0" * 40
_WEB_FLOW = {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"}


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the story; its id follows from where, when and what it is."""

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
        what = f"{self.place.id} {self.at.isoformat()} {self.message}"
        return hashlib.sha1(what.encode(), usedforsecurity=False).hexdigest()

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
class Numbered:
    """An issue, pull request or discussion: what stays the same over its events."""

    place: StoryRepository
    number: int
    author: Person
    created: datetime
    title: str
    body: str
    labels: tuple[str, ...] = ()
    branch: str = ""
    commits: tuple[Commit, ...] = field(default=())

    def url(self, kind: str) -> str:
        return f"{self.place.url}/{kind}/{self.number}"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _common(place: StoryRepository, sender: Person, action: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"repository": place.repository, "sender": sender.account}
    return {"action": action, **found} if action else found


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def ping(place: StoryRepository, sender: Person) -> dict[str, Any]:
    hook = {"type": "Repository", "id": _number("hook"), "active": True, "events": ["*"]}
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": hook["id"],
        "hook": hook,
        **_common(place, sender),
    }


def push(
    place: StoryRepository, sender: Person, branch: str, commits: Sequence[Commit], *, at: datetime
) -> dict[str, Any]:
    """New commits on a branch; `at` is when GitHub got them."""
    return _push(place, sender, f"refs/heads/{branch}", commits[-1].sha, commits, at)


def push_tag(
    place: StoryRepository, sender: Person, tag: str, commit: Commit, *, at: datetime
) -> dict[str, Any]:
    return {
        **_push(place, sender, f"refs/tags/{tag}", commit.sha, (), at),
        "created": True,
        "head_commit": commit.json,
    }


def delete_branch(
    place: StoryRepository, sender: Person, branch: str, last: Commit, *, at: datetime
) -> dict[str, Any]:
    gone = _push(place, sender, f"refs/heads/{branch}", NOBODY, (), at)
    return {**gone, "before": last.sha, "deleted": True}


def _push(
    place: StoryRepository,
    sender: Person,
    ref: str,
    after: str,
    commits: Sequence[Commit],
    at: datetime,
) -> dict[str, Any]:
    # Where the branch stood before is nothing the story tells; any commit id will do.
    before = (
        hashlib.sha1(f"before {after}".encode(), usedforsecurity=False).hexdigest()
        if commits
        else NOBODY
    )
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": False,
        "deleted": False,
        "forced": False,
        "compare": f"{place.url}/compare/{before[:12]}...{after[:12]}",
        "commits": [commit.json for commit in commits],
        "head_commit": commits[-1].json if commits else None,
        "pusher": {"name": sender.login, "email": sender.email},
        **_common(place, sender),
        "repository": {**place.repository, "pushed_at": int(at.timestamp())},
    }


def _labels(thing: Numbered) -> list[dict[str, Any]]:
    return [
        {"id": _number(f"label {name}"), "name": name, "color": "c5def5", "default": False}
        for name in thing.labels
    ]


def pull_request(
    thing: Numbered,
    action: str,
    sender: Person,
    at: datetime,
    *,
    draft: bool = False,
    merge: Commit | None = None,
    reviewers: Sequence[Person] = (),
) -> dict[str, Any]:
    """`merge` is the merge commit of one that is closed by merging."""
    closed = action == "closed"
    head = thing.commits[-1]
    changed: dict[str, Any] = {}
    if action == "labeled":
        changed = {"label": _labels(thing)[-1]}
    elif action == "review_requested":
        changed = {"requested_reviewer": reviewers[-1].account}
    elif action == "synchronize":
        changed = {"before": thing.commits[-2].sha, "after": head.sha}
    return {
        **_common(thing.place, sender, action),
        **changed,
        "number": thing.number,
        "pull_request": {
            "id": _number(thing.url("pull")),
            "number": thing.number,
            "html_url": thing.url("pull"),
            "state": "closed" if closed else "open",
            "title": thing.title,
            "body": thing.body,
            "user": thing.author.account,
            "labels": _labels(thing),
            "created_at": stamp(thing.created),
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
            "additions": 40 * len(thing.commits),
            "deletions": 7 * len(thing.commits),
            "changed_files": len(
                {path for commit in thing.commits for path in commit.changed + commit.added}
            ),
            "head": {"ref": thing.branch, "sha": head.sha, "repo": thing.place.repository},
            "base": {"ref": "main", "sha": NOBODY, "repo": thing.place.repository},
        },
    }


def review(
    thing: Numbered, reviewer: Person, verdict: str, text: str, at: datetime
) -> dict[str, Any]:
    """`verdict`: approved, changes_requested or commented."""
    opened = pull_request(thing, "opened", thing.author, at)["pull_request"]
    return {
        **_common(thing.place, reviewer, "submitted"),
        "review": {
            "id": _number(f"{thing.url('pull')} {stamp(at)}"),
            "user": reviewer.account,
            "body": text,
            "state": verdict,
            "submitted_at": stamp(at),
            "commit_id": thing.commits[-1].sha,
            "html_url": f"{thing.url('pull')}#pullrequestreview-{_number(stamp(at))}",
        },
        "pull_request": opened,
    }


def issue(
    thing: Numbered,
    action: str,
    sender: Person,
    at: datetime,
    *,
    assignees: Sequence[Person] = (),
    **more: Any,
) -> dict[str, Any]:
    closed = action == "closed"
    return {
        **_common(thing.place, sender, action),
        "issue": {
            "id": _number(thing.url("issues")),
            "number": thing.number,
            "html_url": thing.url("issues"),
            "title": thing.title,
            "body": thing.body,
            "user": thing.author.account,
            "labels": _labels(thing),
            "assignees": [person.account for person in assignees],
            "state": "closed" if closed else "open",
            "state_reason": {"closed": "completed", "reopened": "reopened"}.get(action),
            "created_at": stamp(thing.created),
            "updated_at": stamp(at),
            "closed_at": stamp(at) if closed else None,
        },
        **({"assignee": assignees[-1].account} if action == "assigned" else {}),
        **more,
    }


def discussion(
    thing: Numbered, action: str, sender: Person, at: datetime, *, answer: str | None = None
) -> dict[str, Any]:
    answered: dict[str, Any] = {
        "answer_html_url": None,
        "answer_chosen_at": None,
        "answer_chosen_by": None,
    }
    more: dict[str, Any] = {}
    if answer is not None:
        link = f"{thing.url('discussions')}#discussioncomment-{_number(answer)}"
        answered = {
            "answer_html_url": link,
            "answer_chosen_at": stamp(at),
            "answer_chosen_by": sender.account,
        }
        more["answer"] = {
            "id": _number(answer),
            "html_url": link,
            "user": sender.account,
            "body": answer,
            "created_at": stamp(at),
            "updated_at": stamp(at),
        }
    return {
        **_common(thing.place, sender, action),
        "discussion": {
            "id": _number(thing.url("discussions")),
            "number": thing.number,
            "html_url": thing.url("discussions"),
            "title": thing.title,
            "body": thing.body,
            "user": thing.author.account,
            "category": {"id": 1, "name": "Design", "slug": "design", "is_answerable": True},
            "state": "open",
            "created_at": stamp(thing.created),
            "updated_at": stamp(at),
            **answered,
        },
        **more,
    }


def release(
    place: StoryRepository, sender: Person, tag: str, name: str, notes: str, at: datetime
) -> dict[str, Any]:
    return {
        **_common(place, sender, "published"),
        "release": {
            "id": _number(f"{place.id} {tag}"),
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


def registry_package(place: StoryRepository, sender: Person, commit: Commit) -> dict[str, Any]:
    """An image was pushed beside the code: of an event that the pipeline does not understand yet."""
    package = {
        "id": place.id + 1,
        "name": place.name,
        "package_type": "CONTAINER",
        "html_url": f"{place.url}/pkgs/container/{place.name}",
        "package_version": {"version": commit.sha, "target_commitish": "main"},
    }
    return {**_common(place, sender, "published"), "registry_package": package}
