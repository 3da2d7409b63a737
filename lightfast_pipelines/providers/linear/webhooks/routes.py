"""Routes a payload by the teams, projects and the organization that it names.

All of Linear's ids are UUIDs, so each serves as a resource's id. A payload that names no team follows
the thing that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lightfast_pipelines.domain.events import Route
from lightfast_pipelines.providers.fields import child, children, name_of
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.webhooks.changes import ids
from lightfast_pipelines.providers.linear.webhooks.event import linked_id

_MOST_ALTERNATIVES = 50
_PARTS = (
    "Comment", "Reaction", "Attachment", "ProjectUpdate", "CustomerNeed", "IssueRelation", "Document",
)  # fmt: skip


def route(event_type: str, payload: Mapping[str, Any]) -> Route | None:
    """By the first team, else the project, else the organization; the rest are alternatives."""
    data = child(payload, "data") or child(payload, "issueData")
    organization = name_of(payload, "organizationId") or name_of(data, "organizationId")
    resource_keys = [linear_keys.team(team_id) for team_id in _teams(data)]
    resource_keys += [linear_keys.project(project_id) for project_id in _projects(event_type, data)]
    if organization is not None:
        resource_keys.append(linear_keys.organization(organization))
    via = _via(event_type, data)
    resources = list(dict.fromkeys(resource_keys)) or ([via] if via else [])
    if not resources:
        return None
    first, *alternatives = resources
    team = child(data, "team")
    return Route(
        resource_key=first,
        resource_id=_id(first),
        resource_name=name_of(team, "name") if _id(first) == linked_id(data, "team") else None,
        installation_id=organization,
        resource_meta={"team_key": team["key"]} if name_of(team, "key") else {},
        alternatives=tuple((key, _id(key)) for key in alternatives[:_MOST_ALTERNATIVES]),
        via=via,
    )


def _teams(data: Mapping[str, Any]) -> Iterator[str]:
    issue, comment = child(data, "issue"), child(data, "comment")
    for holder in (data, issue, child(comment, "issue")):
        team_id = linked_id(holder, "team")
        if team_id is not None:
            yield team_id
    yield from ids(data.get("teamIds"))
    for team in children(child(data, "infoSnapshot"), "teamsInfo"):
        team_id = name_of(team, "id")
        if team_id is not None:
            yield team_id


def _projects(event_type: str, data: Mapping[str, Any]) -> Iterator[str]:
    if event_type == "Project":
        own_id = name_of(data, "id")
        if own_id is not None:
            yield own_id
    document = child(data, "documentContent")
    holders = (
        data,
        child(data, "issue"),
        child(data, "projectUpdate"),
        document,
        child(document, "document"),
    )
    for holder in holders:
        project_id = linked_id(holder, "project")
        if project_id is not None:
            yield project_id


def _via(event_type: str, data: Mapping[str, Any]) -> str | None:
    """The key of the thing that a part belongs to; None for payloads that are not parts."""
    if event_type not in _PARTS:
        return None
    comment = child(data, "comment")
    issue_id = linked_id(data, "issue") or linked_id(comment, "issue")
    if issue_id is not None:
        return linear_keys.issue(issue_id)
    for project_id in _projects(event_type, data):
        return linear_keys.project(project_id)
    comment_id, update_id = linked_id(data, "comment"), linked_id(data, "projectUpdate")
    if comment_id is not None:
        return linear_keys.comment_by_id(comment_id)
    return None if update_id is None else linear_keys.project_update_by_id(update_id)


def _id(key: str) -> str:
    return key.split(":", 2)[2]
