"""Which facts Sentry states both by webhook and by API, and what the API lacks of them.

Tests hold it against the code; the tables in docs/history.md are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED: frozenset[str] = frozenset({"issue.created", "comment.created", "error.occurred"})
"""Source types whose time both carry: one fact has the same source id, time, actor, author and states.

`error.occurred` for the events that both state: the API's are a sample of each issue's.
"""

DATED_BY_SENDING: frozenset[str] = frozenset(
    {
        "issue.resolved",
        "issue.unresolved",
        "issue.ignored",
        "issue.archived",
        "issue.assigned",
        "metric-alert.critical",
        "metric-alert.warning",
        "metric-alert.open",
        "metric-alert.resolved",
    }
)
"""Both state them, but the webhook's body does not date them (or only imprecisely, for the end of an
incident), so the time of sending dates the webhook. The end of an incident is always one observation. The
others are one if Sentry sent the webhook within the same second and the issue was not seen since; otherwise
webhook and API yield two observations of one fact, seconds apart."""

ONLY_BY_API: Mapping[str, str] = {
    "issue.assigned": "that nobody is assigned any more: Sentry sends no webhook for `unassigned`",
    "issue.prioritized": "all of it: Sentry sends no webhook for a priority",
    "issue.linked": "all of it: Sentry sends no webhook for a linked commit, pull request or issue",
    "issue.merged": "all of it: Sentry sends no webhook for a merge",
}
"""Source type -> what only the API states of it."""

_NOW_ONLY = "the API states only the current value"
_OF_ANY_ISSUE: Mapping[str, str] = {
    f"data.issue.{name}": _NOW_ONLY
    for name in ("count", "userCount", "priority", "numComments", "assignedTo", "lastSeen")
}
_OF_A_DECISION: Mapping[str, str] = {
    **_OF_ANY_ISSUE,
    "data.issue.lastSeen": "unknown if it was seen again since",
}

ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "issue.created": {
        **_OF_ANY_ISSUE,
        "data.issue.assignedTo": "stated by an activity of its own, `assigned`",
    },
    "issue.resolved": {
        **_OF_A_DECISION,
        "data.resolution_type": "the API states the activity's type instead",
    },
    "issue.unresolved": _OF_A_DECISION,
    "issue.ignored": _OF_A_DECISION,
    "issue.archived": _OF_A_DECISION,
    "issue.assigned": {
        **{path: why for path, why in _OF_A_DECISION.items() if path != "data.issue.assignedTo"},
        **{
            f"data.issue.{name}": "stated by the decisions before it"
            for name in ("status", "substatus", "statusDetails")
        },
    },
    "issue.deleted": {"": "a deleted issue is not listed"},
    "comment.created": {"data.comment": "as it was first written: the API states its latest text"},
    "comment.updated": {"": "the API states only the latest text of a comment"},
    "comment.deleted": {"": "a deleted comment is not listed"},
    "error.created": {
        "data.error.datetime": "the API's list of events may be exact to the second only",
        "data.error.contexts": "about whoever met the error: not requested",
        "data.error.request": "about whoever met the error: not requested",
        "data.error.user": "whoever met the error: not requested",
    },
    "event_alert.triggered": {"": "Sentry's API does not list when a rule was met"},
    "activity_alert.triggered": {"": "Sentry's API does not list when a rule was met"},
    **{
        f"seer.{action}": {"": "an issue's activity does not state the number of the run"}
        for action in ("root_cause_completed", "solution_completed", "coding_completed")
    },
    "seer.pr_created": {"": "an issue's activity states only the pull request: `issue.linked`"},
    **{
        f"metric_alert.{level}": {
            "data.description_text": "composed when it is sent",
            "data.description_title": "composed when it is sent",
            "data.metric_alert.status": "stated by the action",
        }
        for level in ("open", "warning", "critical", "resolved")
    },
}
"""Event and action -> JSON path of the webhook's body ("" for all of it) -> why the API lacks it."""
