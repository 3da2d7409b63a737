"""Reviews, comments, and runs of Actions, as webhooks of GitHub report them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo.cast import Person
from lightfast_pipelines.demo.github_events import Commit, NumberedItem, number_of, stamp
from lightfast_pipelines.demo.stage import StoryEvent


def review(
    item: NumberedItem, reviewer: Person, verdict: str, text: str, at: datetime
) -> StoryEvent:
    """`verdict`: approved, changes_requested or commented."""
    url = item.url("pull")
    payload = {
        **github.envelope(item.place, reviewer, "submitted"),
        "review": {
            "id": number_of(f"{url} {stamp(at)}"),
            "user": reviewer.account,
            "body": text,
            "state": verdict,
            "submitted_at": stamp(at),
            "commit_id": item.commits[-1].sha,
            "html_url": f"{url}#pullrequestreview-{number_of(stamp(at))}",
        },
        "pull_request": github.pull_request(item, at=at).payload["pull_request"],
    }
    return StoryEvent("github", "pull_request_review", at, payload)


def issue_comment(item: NumberedItem, by: Person, at: datetime, text: str) -> StoryEvent:
    payload = github.issue(item, "created", by, at).payload
    payload["comment"] = _comment(item, "issues", by, at, text)
    return StoryEvent("github", "issue_comment", at, payload)


def review_comment(
    item: NumberedItem, by: Person, at: datetime, text: str, path: str, line: int
) -> StoryEvent:
    payload = github.pull_request(item, "created", by, at).payload
    place = {"path": path, "line": line, "commit_id": item.commits[-1].sha}
    payload["comment"] = {**_comment(item, "pull", by, at, text), **place}
    return StoryEvent("github", "pull_request_review_comment", at, payload)


def _comment(item: NumberedItem, kind: str, by: Person, at: datetime, text: str) -> dict[str, Any]:
    identity = int(at.timestamp())
    return {
        "id": identity,
        "html_url": f"{item.url(kind)}#comment-{identity}",
        "user": by.account,
        "body": text,
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "author_association": "MEMBER",
    }


def workflow_run(
    head: Commit, branch: str, number: int, conclusion: str, began: datetime, ended: datetime
) -> StoryEvent:
    """A run of the tests for a commit on a branch."""
    place, author = head.place, head.author
    identity = place.id * 100 + number
    payload = {
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
        **github.envelope(place, author),
    }
    return StoryEvent("github", "workflow_run", ended, payload)
