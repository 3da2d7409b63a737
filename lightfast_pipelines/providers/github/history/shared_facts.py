"""Which facts of GitHub both its webhooks and its API tell, and what of them the API cannot.

Held against the code by tests; the documentation's table is made of it.
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
"""Source types that both carry: equal source id, time, actor, author and states for one fact, as far
as the API knows who did it. Commits: those of the default branch."""

_ALONE = "while nobody else is assigned: the API does not tell who was assigned besides"
_STILL = "while it still has the milestone: an event has its title alone"
_TITLES = "of titles: the API has no history of texts"
TOLD_IN_PART: Mapping[str, str] = {
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
    "review.dismissed": "without whose review it was",
    "release.created": "while it is a draft",
    "workflow-run.completed": "of runs that failed, each one's latest attempt",
}
"""Source types of which the API tells some: which. What it tells is told as the webhook told it."""

_LATEST = "the API tells its latest wording"
_OWN = "each change of it is told by an event of its own"
_AT_THE_TIME = "the API does not tell what it was at the time"
_NO_DOER = "the API does not tell who did it"
_NOT_LISTED = "not in the API's lists"
_NO_HISTORY = "the API keeps no history of it"
_GONE = "what is gone is not listed"

_PULL: Mapping[str, str] = {
    "pull_request.title": _LATEST,
    "pull_request.body": _LATEST,
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
    "pull_request.head": "an event of the API does not name the branch",
    "pull_request.base": "an event of the API does not name the branch",
}
_ISSUE: Mapping[str, str] = {
    "issue.title": _LATEST,
    "issue.body": _LATEST,
    "issue.labels": _OWN,
    "issue.assignees": _OWN,
    "issue.assignee": _OWN,
    "issue.milestone": _OWN,
}
_COMMENTED: Mapping[str, str] = {
    "comment.body": _LATEST,
    "comment.author_association": _AT_THE_TIME,
}
_DISCUSSION: Mapping[str, str] = {
    "discussion.title": _LATEST,
    "discussion.body": _LATEST,
    "discussion.category": _AT_THE_TIME,
    "discussion.labels": _NO_HISTORY,
}
_CHANGED_PULL = {
    f"pull_request.{action}": _PULL_OF_AN_EVENT
    for action in (
        *("reopened", "ready_for_review", "converted_to_draft", "labeled", "unlabeled"),
        *("locked", "unlocked", "milestoned", "demilestoned", "unassigned"),
        *("review_requested", "review_request_removed"),
    )
}
_CHANGED_ISSUE = {
    f"issues.{action}": _ISSUE
    for action in (
        *("opened", "closed", "reopened", "labeled", "unlabeled", "locked", "unlocked"),
        *("milestoned", "demilestoned", "unassigned"),
    )
}
_WITHOUT_ASSIGNEES = ("issue.assignees", "pull_request.assignees")


def _but(paths: Mapping[str, str], *those: str) -> Mapping[str, str]:
    return {path: reason for path, reason in paths.items() if path not in those}


ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "push": {
        "before": "a commit of the API names no push",
        "forced": "a commit of the API names no push",
        "pusher": "who made a commit is told, not who pushed it",
        "sender": "who made a commit is told, not who pushed it",
        "commits.added": "asked for by a request for each commit",
        "commits.modified": "asked for by a request for each commit",
        "commits.removed": "asked for by a request for each commit",
        "head_commit.added": "asked for by a request for each commit",
        "head_commit.modified": "asked for by a request for each commit",
        "head_commit.removed": "asked for by a request for each commit",
    },
    "pull_request.opened": {
        **_PULL,
        "pull_request.head.sha": "the API tells the last commit, with the end alone",
    },
    "pull_request.closed": _PULL,
    **_CHANGED_PULL,
    "pull_request.assigned": _but(_PULL_OF_AN_EVENT, *_WITHOUT_ASSIGNEES),
    "pull_request.unassigned": _but(_PULL_OF_AN_EVENT, *_WITHOUT_ASSIGNEES),
    "pull_request.edited": {
        **_PULL_OF_AN_EVENT,
        "changes.body": "the API has no history of texts",
        "changes.base": _NO_HISTORY,
    },
    "pull_request.synchronize": {"": "the API tells the last commit alone"},
    **_CHANGED_ISSUE,
    "issues.assigned": _but(_ISSUE, *_WITHOUT_ASSIGNEES),
    "issues.unassigned": _but(_ISSUE, *_WITHOUT_ASSIGNEES),
    "issues.edited": {**_ISSUE, "changes.body": "the API has no history of texts"},
    "issues.deleted": {"": _GONE},
    "issues.transferred": {"": _GONE},
    "pull_request_review.submitted": {
        **_PULL_OF_AN_EVENT,
        "review.body": _LATEST,
        "review.state": "of one that was dismissed since, the API tells that alone",
        "review.author_association": _AT_THE_TIME,
    },
    "pull_request_review.dismissed": {
        **_PULL_OF_AN_EVENT,
        "review.user": "the event names the review by its number",
        "review.body": "the event names the review by its number",
        "review.commit_id": "the event names the review by its number",
        "review.submitted_at": "the event names the review by its number",
        "review.html_url": "the event names the review by its number",
        "review.author_association": "the event names the review by its number",
    },
    "pull_request_review.edited": {"": _NO_HISTORY},
    "issue_comment.created": {
        **_ISSUE,
        **_COMMENTED,
        "issue.user": "a comment's list names its issue alone",
    },
    "issue_comment.edited": {
        "": "the API tells that a text was changed, not by whom nor how often"
    },
    "issue_comment.deleted": {"": _GONE},
    "pull_request_review_comment.created": {
        **_PULL_OF_AN_EVENT,
        **_COMMENTED,
        "pull_request.user": "a comment's list names its pull request alone",
    },
    "pull_request_review_comment.edited": {
        "": "the API tells that a text was changed, not by whom nor how often"
    },
    "pull_request_review_comment.deleted": {"": _GONE},
    "commit_comment.created": {"": "not read: there are few, and their list is not by time"},
    "commit_comment.edited": {"": _NO_HISTORY},
    "commit_comment.deleted": {"": _GONE},
    "release.published": {
        "sender": "the API tells who drafted it",
        "release.name": _LATEST,
        "release.body": _LATEST,
        "release.prerelease": _AT_THE_TIME,
    },
    "release.created": {"sender": "the API tells who drafted it"},
    "release.unpublished": {"": _NO_HISTORY},
    "release.deleted": {"": _GONE},
    "discussion.created": _DISCUSSION,
    "discussion.answered": {**_DISCUSSION, "answer.body": _LATEST},
    "discussion.closed": {**_DISCUSSION, "sender": _NO_DOER},
    **{
        f"discussion.{action}": {"": _NO_HISTORY}
        for action in (
            *("unanswered", "reopened", "labeled", "unlabeled", "locked", "unlocked"),
            *("edited", "category_changed"),
        )
    },
    "discussion.deleted": {"": _GONE},
    "discussion.transferred": {"": _GONE},
    "discussion_comment.created": {**_DISCUSSION, **_COMMENTED},
    "discussion_comment.edited": {
        "": "the API tells that a text was changed, not by whom nor how often"
    },
    "discussion_comment.deleted": {"": _GONE},
    "deployment.created": {},
    "deployment.deleted": {"": _GONE},
    "deployment_status.created": {},
    "workflow_run.completed": {},
    "check_suite.completed": {"": "asked for by a request for each commit"},
    "create": {"": _NO_HISTORY},
    "delete": {"": _NO_HISTORY},
}
"""Event and action -> JSON path of the webhook's body ("" for all of it) -> why the API lacks it. A path
goes through lists."""
