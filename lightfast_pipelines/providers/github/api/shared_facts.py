"""Facts that both GitHub's webhooks and its API report, and what is missing from the API's version.

Tests compare these tables with the code; docs/history.md is generated from them.
"""

from __future__ import annotations

from collections.abc import Mapping

_STATUSES = ("succeeded", "error", "in-progress", "queued", "pending", "waiting", "inactive")
SHARED: frozenset[str] = frozenset(
    {
        "commit.pushed",
        "pull-request.opened",
        "pull-request.merged",
        "pull-request.closed",
        "pull-request.reopened",
        "pull-request.ready-for-review",
        "pull-request.converted-to-draft",
        "pull-request.labeled",
        "pull-request.unlabeled",
        "pull-request.review-requested",
        "pull-request.review-request-removed",
        "pull-request.locked",
        "pull-request.unlocked",
        "issue.opened",
        "issue.closed",
        "issue.reopened",
        "issue.labeled",
        "issue.unlabeled",
        "issue.locked",
        "issue.unlocked",
        "review.submitted",
        "comment.created",
        "review-comment.created",
        "release.published",
        "discussion.created",
        "discussion.answered",
        "discussion.closed",
        "discussion-comment.created",
        "deployment.created",
        *(f"deployment.{status}" for status in _STATUSES),
    }
)
"""Source types that both report, with the same source id, time, actor, author and states for each fact,
provided that the API says who did it. Commits: only those of the default branch."""

_ALONE = "only if nobody else is assigned: the API does not say who else was assigned at the time"
_STILL = "only if the item still has the milestone: the event states only the milestone's title"
_TITLES = "only changes of the title: the API has no history of texts"
SHARED_IN_PART: Mapping[str, str] = {
    "pull-request.assigned": _ALONE,
    "pull-request.unassigned": _ALONE,
    "issue.assigned": _ALONE,
    "issue.unassigned": _ALONE,
    "pull-request.milestoned": _STILL,
    "pull-request.demilestoned": _STILL,
    "issue.milestoned": _STILL,
    "issue.demilestoned": _STILL,
    "pull-request.edited": _TITLES,
    "issue.edited": _TITLES,
    "review.dismissed": "without the author of the review",
    "release.created": "only while the release is a draft",
    "workflow-run.completed": "only runs whose latest attempt failed, timed out or could not start, "
    "with each of their attempts",
}
"""Source type -> the part of its facts that the API reports, in agreement with the webhook."""

_NOT_READ = "the backfill does not read the API's list of these"
_NOT_WALKED: Mapping[str, str] = {
    "pull_request": "enqueued dequeued",
    "issues": "typed untyped field_added field_removed",
    "pull_request_review_thread": "resolved unresolved",
    "merge_group": "checks_requested destroyed",
    "milestone": "created opened closed edited deleted",
    "sub_issues": "parent_issue_added parent_issue_removed sub_issue_added sub_issue_removed",
    "issue_dependencies": "blocked_by_added blocked_by_removed blocking_added blocking_removed",
    "projects_v2_item": "created converted edited archived restored deleted",
    "deployment_review": "requested approved rejected",
    "deployment_protection_rule": "requested",
    "dependabot_alert": "created reopened reintroduced auto_reopened fixed dismissed auto_dismissed",
    "code_scanning_alert": "created reopened reopened_by_user appeared_in_branch fixed closed_by_user",
    "secret_scanning_alert": "created reopened resolved publicly_leaked validated",
}
"""Event -> actions that no walker reads."""
_OWN = "each change is an event of its own"
_NOT_LISTED = "not in the API's lists"
_NO_HISTORY = "the API keeps no history of this"
_GONE = "deleted items are not listed"
_TEXTS = "the API has no history of texts"
_EDITS = "the API says that a text was changed, but not by whom or how often"
_NO_BRANCH = "the API's event does not name the branch"
_NO_PUSH = "the API does not say which push a commit came with"
_NO_PUSHER = "the API says who made a commit, not who pushed it"
_NO_FILES = "the API's list of commits does not include files"
_NO_TITLE = "the API's list of comments names the issue or pull request only by its number"
_BY_NUMBER = "the API's event names the review only by its number"

_PULL: Mapping[str, str] = {
    "pull_request.draft": _OWN,
    "pull_request.labels": _OWN,
    "pull_request.assignees": _OWN,
    "pull_request.assignee": _OWN,
    "pull_request.requested_reviewers": _OWN,
    "pull_request.requested_teams": _OWN,
    "pull_request.milestone": _OWN,
    "pull_request.additions": _NOT_LISTED,
    "pull_request.deletions": _NOT_LISTED,
    "pull_request.changed_files": _NOT_LISTED,
}
_PULL_OF_AN_EVENT: Mapping[str, str] = {
    **_PULL,
    "pull_request.head": _NO_BRANCH,
    "pull_request.base": _NO_BRANCH,
}
_ISSUE: Mapping[str, str] = {
    "issue.labels": _OWN,
    "issue.assignees": _OWN,
    "issue.assignee": _OWN,
    "issue.milestone": _OWN,
}


def _but(paths: Mapping[str, str], *those: str) -> Mapping[str, str]:
    return {path: reason for path, reason in paths.items() if path not in those}


_ASSIGNED = _but(_PULL_OF_AN_EVENT, "pull_request.assignees")
_DRAFTED = _but(_PULL_OF_AN_EVENT, "pull_request.draft")

ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "push": {
        "before": _NO_PUSH,
        "forced": _NO_PUSH,
        "repository.pushed_at": _NO_PUSH,
        "pusher": _NO_PUSHER,
        "sender": _NO_PUSHER,
        "commits.added": _NO_FILES,
        "commits.modified": _NO_FILES,
        "commits.removed": _NO_FILES,
        "head_commit.added": _NO_FILES,
        "head_commit.modified": _NO_FILES,
        "head_commit.removed": _NO_FILES,
    },
    "pull_request.opened": {
        **_PULL,
        "pull_request.head.sha": "the API states only the last commit, reported with the end of the pull request",
    },
    "pull_request.closed": _PULL,
    **{
        f"pull_request.{action}": _PULL_OF_AN_EVENT
        for action in (
            *("reopened", "labeled", "unlabeled", "locked", "unlocked", "milestoned"),
            *("demilestoned", "review_requested", "review_request_removed"),
        )
    },
    "pull_request.ready_for_review": _DRAFTED,
    "pull_request.converted_to_draft": _DRAFTED,
    "pull_request.assigned": _ASSIGNED,
    "pull_request.unassigned": _ASSIGNED,
    "pull_request.edited": {
        **_PULL_OF_AN_EVENT,
        "changes.body": _TEXTS,
        "changes.base": _NO_HISTORY,
    },
    "pull_request.synchronize": {"": "the API states only the last commit"},
    **{
        f"issues.{action}": _ISSUE
        for action in (
            *("opened", "closed", "reopened", "labeled", "unlabeled", "locked", "unlocked"),
            *("milestoned", "demilestoned"),
        )
    },
    "issues.assigned": _but(_ISSUE, "issue.assignees"),
    "issues.unassigned": _but(_ISSUE, "issue.assignees"),
    "issues.edited": {**_ISSUE, "changes.body": _TEXTS},
    "issues.deleted": {"": _GONE},
    "issues.transferred": {"": _GONE},
    "pull_request_review.submitted": _PULL_OF_AN_EVENT,
    "pull_request_review.dismissed": {
        **_PULL_OF_AN_EVENT,
        "review.user": _BY_NUMBER,
        "review.body": _BY_NUMBER,
        "review.commit_id": _BY_NUMBER,
        "review.submitted_at": _BY_NUMBER,
        "review.html_url": _BY_NUMBER,
        "review.author_association": _BY_NUMBER,
    },
    "pull_request_review.edited": {"": _EDITS},
    "issue_comment.created": {**_ISSUE, "issue.title": _NO_TITLE, "issue.user": _NO_TITLE},
    "issue_comment.edited": {"": _EDITS},
    "issue_comment.deleted": {"": _GONE},
    "pull_request_review_comment.created": {
        **_PULL_OF_AN_EVENT,
        "pull_request.title": _NO_TITLE,
        "pull_request.user": _NO_TITLE,
    },
    "pull_request_review_comment.edited": {"": _EDITS},
    "pull_request_review_comment.deleted": {"": _GONE},
    **{
        f"commit_comment.{action}": {
            "": "the backfill does not read these: their list is not ordered by time"
        }
        for action in ("created", "edited", "deleted")
    },
    "release.published": {"sender": "the API states who drafted the release instead"},
    "release.created": {"sender": "the API states who drafted the release instead"},
    "release.unpublished": {"": _NO_HISTORY},
    "release.released": {
        "": "the API lists the release as published, but does not say that it was a prerelease before"
    },
    "release.deleted": {"": _GONE},
    "discussion.created": {"discussion.labels": _NO_HISTORY},
    "discussion.answered": {"discussion.labels": _NO_HISTORY},
    "discussion.closed": {
        "discussion.labels": _NO_HISTORY,
        "discussion.answer_html_url": _OWN,
        "sender": "the API does not say who closed it",
    },
    **{
        f"discussion.{action}": {"": _NO_HISTORY}
        for action in (
            *("unanswered", "reopened", "labeled", "unlabeled", "locked", "unlocked"),
            *("edited", "category_changed"),
        )
    },
    "discussion.deleted": {"": _GONE},
    "discussion.transferred": {"": _GONE},
    "discussion_comment.created": {"discussion.labels": _NO_HISTORY},
    "discussion_comment.edited": {"": _EDITS},
    "discussion_comment.deleted": {"": _GONE},
    "deployment.deleted": {"": _GONE},
    **{
        f"{event}.{action}": {"": _NOT_READ}
        for event, actions in _NOT_WALKED.items()
        for action in actions.split()
    },
    "check_suite.completed": {"": "the API lists these only for a single commit"},
    "create": {"": _NO_HISTORY},
}
"""Event and action -> JSON path in the webhook's body ("" for all of it) -> why the API lacks it. A path
continues through lists."""

ONLY_BY_API: Mapping[str, str] = {
    "parents": "a push lists its commits without their parents",
}
"""Field of a statement -> why webhooks lack it."""

_LATEST = "the latest wording"
_NOW = "the value today"
SHARED_AS_OF_TODAY: Mapping[str, str] = {
    "pull_request.title": _LATEST,
    "pull_request.body": _LATEST,
    "pull_request.head": "left out if the pull request was reopened later",
    "issue.title": _LATEST,
    "issue.body": _LATEST,
    "discussion.title": _LATEST,
    "discussion.body": _LATEST,
    "discussion.category": _NOW,
    "comment.body": _LATEST,
    "comment.author_association": _NOW,
    "review.body": _LATEST,
    "review.author_association": _NOW,
    "review.state": "left out if the review was dismissed later",
    "answer.body": _LATEST,
    "release.name": _LATEST,
    "release.body": _LATEST,
    "release.prerelease": _NOW,
}
"""JSON path -> what the API has there; the webhook has the value of that moment."""
