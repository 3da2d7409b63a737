"""Which facts of Sentry both its webhooks and its API tell, and what of them the API cannot.

Held against the code by tests; the documentation's table is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED: frozenset[str] = frozenset(
    {
        "issue.created",
        "comment.created",
        "error.occurred",
    }
)
"""Source types whose time both carry: equal source id, time, actor, author and states for one fact.

`error.occurred` for the events that both tell: the API's are a sample of each issue's.
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
"""Both tell them, but the webhook's body has no time of them (of an incident's end an imprecise one): it
is dated by when it was sent. An incident's end is one observation in any case; the others are one where
Sentry sent it in the second in which it happened and, of an issue, nothing was seen since; else webhook
and API are two observations of one fact, seconds apart."""

ONLY_BY_API: Mapping[str, str] = {
    "issue.assigned": "that nobody has it any more: Sentry sends no webhook of `unassigned`",
    "issue.prioritized": "all of it: Sentry sends no webhook of a priority",
    "issue.linked": "all of it: Sentry sends no webhook of a commit, pull request or issue that is linked",
    "issue.merged": "all of it: Sentry sends no webhook of a merge",
}
"""Source type -> what of it only the API tells."""

_NOW_ONLY = "the API tells today's value alone"
_OF_ANY_ISSUE: Mapping[str, str] = {
    f"data.issue.{name}": _NOW_ONLY
    for name in ("count", "userCount", "priority", "numComments", "assignedTo", "lastSeen")
}
_OF_A_DECISION: Mapping[str, str] = {
    **_OF_ANY_ISSUE,
    "data.issue.lastSeen": "not known where it was seen again since",
}

ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "issue.created": {
        **_OF_ANY_ISSUE,
        "data.issue.assignedTo": "told by an activity of its own, `assigned`",
    },
    "issue.resolved": {
        **_OF_A_DECISION,
        "data.resolution_type": "the API tells the activity's type instead",
    },
    "issue.unresolved": _OF_A_DECISION,
    "issue.ignored": _OF_A_DECISION,
    "issue.archived": _OF_A_DECISION,
    "issue.assigned": {
        **{path: why for path, why in _OF_A_DECISION.items() if path != "data.issue.assignedTo"},
        **{
            f"data.issue.{name}": "told by the decisions before it"
            for name in ("status", "substatus", "statusDetails")
        },
    },
    "issue.deleted": {"": "an issue that is gone is not listed"},
    "comment.created": {"data.comment": "as it was first written: the API tells its latest text"},
    "comment.updated": {"": "the API tells the latest text of a comment alone"},
    "comment.deleted": {"": "a comment that is gone is not listed"},
    "error.created": {
        "data.error.datetime": "the API's list of events may tell whole seconds alone",
        "data.error.contexts": "about whoever met the error: not asked for",
        "data.error.request": "about whoever met the error: not asked for",
        "data.error.user": "whoever met the error: not asked for",
    },
    "event_alert.triggered": {"": "Sentry's API has no list of the times a rule was met"},
    "activity_alert.triggered": {"": "Sentry's API has no list of the times a rule was met"},
    **{
        f"seer.{action}": {"": "an issue's activity does not tell the number of the run"}
        for action in ("root_cause_completed", "solution_completed", "coding_completed")
    },
    "seer.pr_created": {"": "an issue's activity tells the pull request alone: `issue.linked`"},
    **{
        f"metric_alert.{level}": {
            "data.description_text": "made when it is sent",
            "data.description_title": "made when it is sent",
            "data.metric_alert.status": "told by the action",
        }
        for level in ("open", "warning", "critical", "resolved")
    },
}
"""Event and action -> JSON path of the webhook's body ("" for all of it) -> why the API lacks it."""
