"""Which facts of Linear both its webhooks and its API tell, and what of them the API cannot.

Held against the code by tests; the documentation's table is made of it.
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
"""Source types that both carry: equal source id, time, author and states for one fact, and the actor
where `ONLY_BY_WEBHOOK` does not name him."""

LATEST_BY_API: Mapping[str, str] = {
    "comment.edited": "the last edit alone, at its own time once the comment has changed again",
    "project-update.edited": "the last edit alone",
    "project.state-changed": "when it was last started, completed and canceled, not by whom",
    "project.archived": "when it was last archived, not by whom",
    "project.deleted": "while it is in the trash, not by whom",
}
"""Source type -> which of such facts the API tells: the later ones, of what webhooks tell all."""

_NOT_KEPT = "the API tells today's value alone"
_NOBODY = "the API does not tell who did it"
_EARLIER = "the API does not keep an earlier text"
_SINCE = f"where it has changed since: {_NOT_KEPT}"
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
        "actor": "told by the creator, who is the author as well",
        "data.description": f"where it was changed later: {_EARLIER}",
        "data.branchName": "made for whoever asks",
    },
    "Issue.update": {
        "data.description": f"where it was changed later: {_EARLIER}",
        "data.branchName": "made for whoever asks",
        "updatedFrom.description": _EARLIER,
        "updatedFrom.updatedAt": "the history tells changes, not what came before them",
        "updatedFrom.archivedAt": "that it had been archived is told, not since when",
    },
    "Issue.remove": {
        "": "what is deleted for good is listed no more; what is in the trash is told by its history",
    },
    "Comment.create": {
        "actor": "told by the comment's author",
        "data.body": f"where it was edited later: {_EARLIER}",
    },
    "Comment.update": {
        "actor": f"{_NOBODY}, but for who resolved a thread",
        "data.body": f"where it was edited later: {_EARLIER}",
        "data.editedAt": "where it was edited again later",
        "data.resolvedAt": "where it was resolved at another time since",
        "updatedFrom": f"{_EARLIER}, and not that a thread was taken up again",
    },
    "Comment.remove": {"": "a comment that is gone is not listed"},
    "Reaction": {"": "not walked: they come with each comment and have no list of their own"},
    "Attachment.create": {
        "actor": "told by the creator",
        "data.title": _SINCE,
        "data.subtitle": _SINCE,
    },
    "Attachment.update": {"": _NOT_KEPT},
    "Attachment.remove": {"": "an attachment that is gone is not listed"},
    "IssueRelation.create": {"actor": _NOBODY},
    "IssueRelation.update": {"": _NOT_KEPT},
    "IssueRelation.remove": {"": "a relation that is gone is not listed"},
    "Initiative": {"": "not walked"},
    "InitiativeUpdate": {"": "not walked"},
    "Document": {"": "not walked"},
    "Release": {"": "not walked"},
    "ReleaseNote": {"": "not walked"},
    "CustomerNeed": {"": "not walked"},
    "IssueSLA": {"": "the API tells when an issue has to be done, not when that was known"},
    "IssueLabel": {"": "not walked; which labels an issue has its history tells"},
    "Project.create": {**_OF_A_PROJECT, "actor": "told by the creator"},
    "Project.update": {
        **_OF_A_PROJECT,
        "actor": _NOBODY,
        "updatedFrom": f"but for its status and its archive: {_NOT_KEPT}",
    },
    "Project.remove": {**_OF_A_PROJECT, "actor": _NOBODY},
    "ProjectUpdate.create": {
        "actor": "told by its author",
        "data.body": f"where it was edited later: {_EARLIER}",
        "data.health": f"where it was edited later: {_EARLIER}",
    },
    "ProjectUpdate.update": {
        "actor": "told by its author, who alone can edit it",
        "updatedFrom": "the API tells that it was edited, not what it was",
    },
    "ProjectUpdate.remove": {"": "an update that is gone is not listed"},
    "Cycle.create": {**_OF_A_CYCLE, "actor": _NOBODY},
    "Cycle.update": {
        **_OF_A_CYCLE,
        "actor": _NOBODY,
        "updatedFrom.name": _NOT_KEPT,
        "updatedFrom.description": _NOT_KEPT,
        "updatedFrom.startsAt": _NOT_KEPT,
        "updatedFrom.endsAt": _NOT_KEPT,
    },
    "Cycle.remove": {"": "a cycle that is gone is not listed"},
}
"""Event and action -> JSON path of the webhook's body ("" for all of it) -> why the API lacks it."""
