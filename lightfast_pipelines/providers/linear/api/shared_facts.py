"""Which facts Linear states both by webhook and by API, and what the API lacks of them.

Tests compare it with the code; the tables in docs/history.md are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED: frozenset[str] = frozenset(
    {
        "issue.created",
        "issue.deleted",
        "issue.restored",
        "issue.archived",
        "issue.unarchived",
        "issue.assigned",
        "issue.unassigned",
        "issue.state-changed",
        "issue.priority-changed",
        "issue.title-changed",
        "issue.description-changed",
        "issue.project-changed",
        "issue.cycle-changed",
        "issue.milestone-changed",
        "issue.parent-changed",
        "issue.team-changed",
        "issue.labels-changed",
        "issue.estimate-changed",
        "issue.due-date-changed",
        "issue.delegate-changed",
        "attachment.created",
        "issue-relation.created",
        "comment.created",
        "comment.resolved",
        "project.created",
        "project-update.created",
        "cycle.created",
        "cycle.completed",
        "cycle.archived",
    }
)
"""Source types that both report: one fact has the same source id, time, author and states, and the same
actor unless `ONLY_BY_WEBHOOK` names it."""

LATEST_BY_API: Mapping[str, str] = {
    "comment.edited": "only the latest edit, dated by `editedAt` if the comment has changed again since",
    "project-update.edited": "only the latest edit",
    "project.state-changed": "when it was last started, completed and canceled, but not by whom",
    "project.archived": "when it was last archived, but not by whom",
    "project.deleted": "while it is in the trash, but not by whom",
}
"""Source type -> which of these facts the API states; webhooks state all of them."""

_NOT_KEPT = "the API states only the current value"
_NOBODY = "the API does not say who did it"
_NOT_READ = "the backfill does not read these"
_EARLIER = "the API does not keep earlier texts"
_SINCE = f"if it has changed since: {_NOT_KEPT}"
_OF_A_PROJECT: Mapping[str, str] = {
    f"data.{name}": _SINCE
    for name in (
        "status",
        "statusId",
        "lead",
        "leadId",
        "memberIds",
        "health",
        "healthUpdatedAt",
        "priority",
        "startDate",
        "targetDate",
        "startedAt",
        "completedAt",
        "canceledAt",
    )
}
_OF_A_CYCLE: Mapping[str, str] = {
    f"data.{name}": _SINCE for name in ("name", "description", "endsAt")
}

ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "Issue.create": {
        "actor": "the API states `creator` instead, who is also the author",
        "data.description": f"if it was changed later: {_EARLIER}",
        "data.branchName": "depends on who asks",
    },
    "Issue.update": {
        "data.description": f"if it was changed later: {_EARLIER}",
        "data.branchName": "depends on who asks",
        "updatedFrom.description": _EARLIER,
        "updatedFrom.updatedAt": "the history states changes, not the previous time of an update",
        "updatedFrom.archivedAt": "the API states that it is archived, but not since when",
    },
    "Issue.remove": {
        "": "a permanently deleted issue is not listed; for one in the trash, its history states the deletion",
    },
    "Comment.create": {
        "actor": "the API states the comment's author instead",
        "data.body": f"if it was edited later: {_EARLIER}",
    },
    "Comment.update": {
        "actor": f"{_NOBODY}, except who resolved a thread",
        "data.body": f"if it was edited later: {_EARLIER}",
        "data.editedAt": "if it was edited again later",
        "data.resolvedAt": "if it was resolved again later",
        "updatedFrom": f"{_EARLIER}, nor that a thread was reopened",
    },
    "Comment.remove": {"": "a deleted comment is not listed"},
    "Reaction": {"": "the backfill does not read these: the API has no list of reactions"},
    "Attachment.create": {
        "actor": "the API states `creator` instead",
        "data.title": _SINCE,
        "data.subtitle": _SINCE,
    },
    "Attachment.update": {"": _NOT_KEPT},
    "Attachment.remove": {"": "a deleted attachment is not listed"},
    "IssueRelation.create": {"actor": _NOBODY},
    "IssueRelation.update": {"": _NOT_KEPT},
    "IssueRelation.remove": {"": "a deleted relation is not listed"},
    "Initiative": {"": _NOT_READ},
    "InitiativeUpdate": {"": _NOT_READ},
    "Document": {"": _NOT_READ},
    "Release": {"": _NOT_READ},
    "ReleaseNote": {"": _NOT_READ},
    "CustomerNeed": {"": _NOT_READ},
    "IssueSLA": {"": "the API states the deadline, not when it was set"},
    "IssueLabel": {"": f"{_NOT_READ}; the history of an issue states its labels"},
    "Project.create": {**_OF_A_PROJECT, "actor": "the API states `creator` instead"},
    "Project.update": {
        **_OF_A_PROJECT,
        "actor": _NOBODY,
        "updatedFrom": f"except its status and archiving: {_NOT_KEPT}",
    },
    "Project.remove": {**_OF_A_PROJECT, "actor": _NOBODY},
    "ProjectUpdate.create": {
        "actor": "the API states the author instead",
        "data.body": f"if it was edited later: {_EARLIER}",
        "data.health": f"if it was edited later: {_EARLIER}",
    },
    "ProjectUpdate.update": {
        "actor": "the API states the author, who alone can edit it",
        "updatedFrom": "the API states that it was edited, not what it was before",
    },
    "ProjectUpdate.remove": {"": "a deleted update is not listed"},
    "Cycle.create": {**_OF_A_CYCLE, "actor": _NOBODY},
    "Cycle.update": {
        **_OF_A_CYCLE,
        "actor": _NOBODY,
        "updatedFrom.name": _NOT_KEPT,
        "updatedFrom.description": _NOT_KEPT,
        "updatedFrom.startsAt": _NOT_KEPT,
        "updatedFrom.endsAt": _NOT_KEPT,
    },
    "Cycle.remove": {"": "a deleted cycle is not listed"},
}
"""Event and action -> JSON path of the webhook's body ("" for all of it) -> why the API lacks it."""
