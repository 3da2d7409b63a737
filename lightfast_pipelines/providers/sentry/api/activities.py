"""The kinds of activity of an issue, and their data in the form that webhooks have.

Which record an activity becomes is in `issue_records.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lightfast_pipelines.providers.api_contract import Json
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.sentry.webhooks.seer import pull_requests_of
from lightfast_pipelines.providers.sentry.webhooks.values import identity

_RESOLVED = ("resolved", "resolved", None)
DECISIONS: Mapping[str, tuple[str, str, str | None]] = {
    "set_resolved": _RESOLVED,
    "set_resolved_by_age": _RESOLVED,
    "set_resolved_in_release": _RESOLVED,
    "set_resolved_in_commit": _RESOLVED,
    "set_unresolved": ("unresolved", "unresolved", "ongoing"),
    "set_regression": ("unresolved", "unresolved", "regressed"),
    "set_escalating": ("unresolved", "unresolved", "escalating"),
}
"""Kind of activity -> (action, status, substatus)."""
LINKS = frozenset(
    {"referenced_in_commit", "set_resolved_in_pull_request", "create_issue", "seer_pr_created"}
)
"""A proposed fix, or another tracker's issue: the status stays as it was."""
_OTHERS = frozenset(
    {"set_ignored", "assigned", "unassigned", "note", "set_priority", "merge", "reprocess"}
)
KNOWN = LINKS | _OTHERS | DECISIONS.keys()
_BY_SEER = "a step of Seer's, which the webhook `seer` reports with the number of its run"
_BY_GITHUB = "reported by the pull request's own events"
NOT_KEPT: Mapping[str, str] = {
    "first_seen": "stated by the issue itself",
    "auto_set_ongoing": "still unresolved, only no longer new",
    "mark_reviewed": "somebody looked at it",
    "set_public": "who may see it",
    "set_private": "who may see it",
    "release": "used by no current version of Sentry",
    "deploy": "used by no current version of Sentry",
    "new_processing_issues": "about Sentry's own processing",
    "deleted_attachment": "about a file attached to an event",
    "unmerge_source": "what was taken out of it is an issue of its own",
    "unmerge_destination": "what was put into it are events, not an issue",
    "seer_rca_started": _BY_SEER,
    "seer_rca_completed": _BY_SEER,
    "seer_solution_started": _BY_SEER,
    "seer_solution_completed": _BY_SEER,
    "seer_coding_started": _BY_SEER,
    "seer_coding_completed": _BY_SEER,
    "seer_iteration_started": _BY_SEER,
    "seer_iteration_completed": _BY_SEER,
    "seer_pr_ready_for_review": _BY_GITHUB,
    "pull_request_closed": _BY_GITHUB,
    "pull_request_reopened": _BY_GITHUB,
    "pull_request_merged": _BY_GITHUB,
    "pull_request_unlinked": _BY_GITHUB,
}
"""Kind of activity -> why nothing is made of it."""
_IGNORE_CONDITIONS = (
    "ignoreCount",
    "ignoreDuration",
    "ignoreUntil",
    "ignoreUserCount",
    "ignoreUserWindow",
    "ignoreWindow",
)


def linked(kind: str, data: Mapping[str, Any]) -> Iterator[Json]:
    """What the activity links to the issue; nothing if Sentry names no commit or address."""
    if kind == "create_issue":
        kept = {name: data[name] for name in ("location", "label", "title") if name in data}
        if "location" in kept:
            yield {"externalIssue": kept}
    elif kind == "seer_pr_created":
        for pull_request in pull_requests_of(data):
            yield {"statusDetails": {"pullRequest": {"externalUrl": pull_request.url}}}
    elif details := status_details(kind, data):
        yield {"statusDetails": details}


def archived(data: Mapping[str, Any]) -> Json:
    """The status of an issue that was archived, with the conditions of its return."""
    conditions = {name: data[name] for name in _IGNORE_CONDITIONS if data.get(name)}
    substatus = "archived_until_condition_met" if conditions else "archived_forever"
    if data.get("ignoreUntilEscalating"):
        substatus = "archived_until_escalating"
    return {"status": "ignored", "statusDetails": conditions, "substatus": substatus}


def assignee(data: Mapping[str, Any]) -> Json | None:
    number = identity(data, "assignee")
    if number is None:
        return None
    names = {"name": name_of(data, "assigneeName"), "email": name_of(data, "assigneeEmail")}
    kind = "team" if name_of(data, "assigneeType") == "team" else "user"
    stated_names = {name: value for name, value in names.items() if value is not None}
    return {"type": kind, "id": number, **stated_names}


def status_details(kind: str, data: Mapping[str, Any]) -> Json:
    """`statusDetails` as the webhook would have had it."""
    if kind == "set_resolved_by_age":
        return {"autoResolved": True}
    details: Json = {}
    if kind == "set_resolved_in_release":
        version = name_of(data, "version")
        details = {"inRelease": version} if version else {"inNextRelease": True}
    if child(data, "commit"):
        details["inCommit"] = _commit(child(data, "commit"))
    if child(data, "pullRequest"):
        details["pullRequest"] = _pull_request(child(data, "pullRequest"))
    return details


def _commit(commit: Mapping[str, Any]) -> Json:
    kept: Json = {name: commit[name] for name in ("id", "message", "dateCreated") if name in commit}
    repository = child(commit, "repository")
    if repository:
        kept["repository"] = {
            name: repository[name] for name in ("id", "name") if name in repository
        }
    if child(commit, "pullRequest"):
        kept["pullRequest"] = _pull_request(child(commit, "pullRequest"))
    return kept


def _pull_request(pull_request: Mapping[str, Any]) -> Json:
    kept: Json = {
        name: pull_request[name] for name in ("id", "title", "externalUrl") if name in pull_request
    }
    repository = name_of(child(pull_request, "repository"), "name")
    return {**kept, "repository": {"name": repository}} if repository else kept
