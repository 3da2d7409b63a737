"""Which facts Sentry states both by webhook and by API, and what the API lacks of them.

Tests compare it with the code; the tables in docs/history.md are generated from it.
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
others become one if Sentry sent the webhook within the same second and the error has not occurred since;
otherwise webhook and API yield two observations of one fact, seconds apart."""

ONLY_BY_API: Mapping[str, str] = {
    "issue.assigned": "only the removal of an assignee: Sentry sends no webhook for `unassigned`",
    "issue.prioritized": "Sentry sends no webhook for a change of priority",
    "issue.linked": "Sentry sends no webhook for a linked commit, pull request or issue",
    "issue.merged": "Sentry sends no webhook for a merge",
}
"""Source type -> what only the API states of it."""

_NOW_ONLY = "the API states only the current value"
_OF_ANY_ISSUE: Mapping[str, str] = {
    f"data.issue.{name}": _NOW_ONLY
    for name in ("count", "userCount", "priority", "numComments", "assignedTo", "lastSeen")
}
_OF_A_DECISION: Mapping[str, str] = {
    **_OF_ANY_ISSUE,
    "data.issue.lastSeen": "unknown if the error has occurred again since",
}

ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "issue.created": {
        **_OF_ANY_ISSUE,
        "data.issue.assignedTo": "the API states it as a separate activity, `assigned`",
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
            f"data.issue.{name}": "the API states it with earlier activities"
            for name in ("status", "substatus", "statusDetails")
        },
    },
    "issue.deleted": {"": "a deleted issue is not listed"},
    "comment.created": {"data.comment": "the original text: the API states only the latest one"},
    "comment.updated": {"": "the API states only the latest text of a comment"},
    "comment.deleted": {"": "a deleted comment is not listed"},
    "error.created": {
        "data.error.datetime": "the API's list of events may be exact only to the second",
        "data.error.contexts": "personal data of the user, not requested",
        "data.error.request": "personal data of the user, not requested",
        "data.error.user": "personal data of the user, not requested",
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
            "data.metric_alert.status": "the action states the same",
        }
        for level in ("open", "warning", "critical", "resolved")
    },
}
"""Event and action -> JSON path of the webhook's body ("" for all of it) -> why the API lacks it."""
