"""Bodies of GitHub's smaller events: comments, and runs of its Actions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lightfast_pipelines.demo import payloads
from lightfast_pipelines.demo.cast import Person
from lightfast_pipelines.demo.payloads import Commit, Numbered, stamp


def issue_comment(thing: Numbered, by: Person, at: datetime, text: str) -> dict[str, Any]:
    about = payloads.issue(thing, "created", by, at)
    return {**about, "comment": _comment(thing, "issues", by, at, text)}


def review_comment(
    thing: Numbered, by: Person, at: datetime, text: str, path: str, line: int
) -> dict[str, Any]:
    about = payloads.pull_request(thing, "created", by, at)
    place = {"path": path, "line": line, "commit_id": thing.commits[-1].sha}
    return {**about, "comment": {**_comment(thing, "pull", by, at, text), **place}}


def workflow_run(
    head: Commit, branch: str, number: int, conclusion: str, began: datetime, ended: datetime
) -> dict[str, Any]:
    """A run of the tests for a commit on a branch."""
    place, author = head.place, head.author
    identity = place.id * 100 + number
    return {
        "action": "completed",
        "workflow": {"id": place.id, "name": "Tests"},
        "workflow_run": {
            "id": identity,
            "name": "Tests",
            "head_branch": branch,
            "head_sha": head.sha,
            "head_commit": {"id": head.sha, "message": head.message, "author": author.signature},
            "head_repository": place.repository,
            "display_title": head.message.partition("\n")[0],
            "run_number": number,
            "run_attempt": 1,
            "event": "push",
            "status": "completed",
            "conclusion": conclusion,
            "pull_requests": [],
            "actor": author.account,
            "html_url": f"{place.url}/actions/runs/{identity}",
            "created_at": stamp(began),
            "updated_at": stamp(ended),
        },
        "repository": place.repository,
        "sender": author.account,
    }


def _comment(thing: Numbered, kind: str, by: Person, at: datetime, text: str) -> dict[str, Any]:
    identity = int(at.timestamp())
    return {
        "id": identity,
        "html_url": f"{thing.url(kind)}#comment-{identity}",
        "user": by.account,
        "body": text,
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "author_association": "MEMBER",
    }
