"""`Issue`: created, deleted and each changed field.

`issue.created`, `issue.deleted`, `issue.restored`, `issue.archived`, `issue.unarchived`,
`issue.assigned`, `issue.unassigned`, and `issue.X-changed` where X is state, priority, title,
description, project, cycle, milestone, parent, team, labels, estimate, due-date or delegate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.providers.fields import child, children, cut, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import account, author_of, member_of
from lightfast_pipelines.providers.linear.webhooks.changes import (
    Field,
    archived,
    day,
    ids,
    plain,
    shown,
    trashed,
)
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id, number_of
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import (
    cycle_name,
    identifier_of,
    issue_thing,
    line,
    names_of_issue,
)
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    LinearTransition,
    canceled_by_deletion,
)

_PRIORITIES = ("none", "urgent", "high", "medium", "low")

# Type of a workflow state -> status. Triage precedes the backlog; a duplicate needs no more work.
_STATUSES = {
    "triage": "backlog",
    "backlog": "backlog",
    "unstarted": "unstarted",
    "started": "started",
    "completed": "completed",
    "canceled": "canceled",
    "duplicate": "canceled",
}
_RANKS = {"backlog": 0, "unstarted": 1, "started": 2, "completed": 3, "canceled": 4}
_DONE = frozenset({"completed", "canceled"})


def _priority(value: Any) -> str | None:
    number = number_of({"value": value}, "value")
    is_known = isinstance(number, int) and 0 <= number < len(_PRIORITIES)
    return _PRIORITIES[int(number)] if is_known and number is not None else None


def _priority_now(data: Mapping[str, Any]) -> str | None:
    return _priority(data.get("priority"))


def _cycle(data: Mapping[str, Any]) -> str | None:
    return cycle_name(child(data, "cycle"))


def _due(data: Mapping[str, Any]) -> str | None:
    return day(data.get("dueDate"))


def _named(name: str) -> Any:
    return lambda data: name_of(child(data, name), "name")


def _label_names(data: Mapping[str, Any]) -> str | None:
    names = (name_of(label, "name") for label in children(data, "labels"))
    return shown(", ".join(name for name in names if name))


def _parent(data: Mapping[str, Any]) -> str | None:
    parent = child(data, "parent")
    return identifier_of(parent) or shown(parent.get("title"))


_FIELDS = (
    trashed(40),
    archived(20),
    Field("state", ("stateId", "state"), "state-changed", 35, _named("state")),
    Field("priority", ("priority",), "priority-changed", 30, _priority_now, _priority),
    Field("assignee", ("assigneeId", "assignee"), "assigned", 30, _named("assignee"), cleared="unassigned"),
    Field("delegate", ("delegateId", "delegate"), "delegate-changed", 25, _named("delegate")),
    Field("title", ("title",), "title-changed", 25, was=shown),
    Field("description", ("description", "descriptionData"), "description-changed", 25),
    Field("project", ("projectId", "project"), "project-changed", 30, _named("project")),
    Field("cycle", ("cycleId", "cycle"), "cycle-changed", 25, _cycle),
    Field("milestone", ("projectMilestoneId", "projectMilestone"), "milestone-changed", 20, _named("projectMilestone")),
    Field("parent", ("parentId", "parent"), "parent-changed", 25, _parent),
    Field("team", ("teamId", "team"), "team-changed", 35, _named("team")),
    Field("labels", ("labelIds", "labels"), "labels-changed", 20, _label_names),
    Field("estimate", ("estimate",), "estimate-changed", 20, plain("estimate"), shown),
    Field("due date", ("dueDate",), "due-date-changed", 25, _due, day),
)  # fmt: skip


def describe(event: LinearEvent) -> Described:
    """The issue; events about its deadline carry it as well."""
    data = event.data
    identifier, title = identifier_of(data, event.url), text(data, "title") or ""
    earlier = (name_of(event.updated_from, "identifier"), *ids(data.get("previousIdentifiers")))
    names = (identifier, *(name.upper() for name in earlier if name))
    address, branch = event.url or url(data, "url"), name_of(data, "branchName")
    subject = Thing(
        linear_keys.issue(event.id),
        cut(" ".join(part for part in (identifier, title) if part), 200) or None,
        address,
        names_of_issue(names, address, branch),
    )
    team, team_id = child(data, "team"), linked_id(data, "team")
    state, cycle = child(data, "state"), child(data, "cycle")
    assignee, author = member_of(data, "assignee"), author_of(data, "creator")
    builder = LinearStatementBuilder(subject)
    builder.refer("issue", identifier or event.id, subject.url)
    builder.add_team(team_id, team)
    builder.add_project(data)
    builder.add_cycle(data)
    builder.add_milestone(data)
    builder.add_person("assignee", assignee)
    # Work is delegated to applications only; the assignee remains responsible.
    delegate = account(child(data, "delegate"), linked_id(data, "delegate"), kind="bot")
    builder.add_person("delegate", delegate)
    label_names = builder.add_labels(data)
    if branch:
        builder.refer("branch", branch)
    parent_id = linked_id(data, "parent")
    if parent_id:
        builder.relate("parent", issue_thing(parent_id, child(data, "parent")), "parent")
    for attachment in children(data, "attachments"):
        builder.add_attachment(attachment)
    builder.add_relations(data)
    estimate, due = number_of(data, "estimate"), name_of(data, "dueDate")
    assigned_to = name_of(child(data, "assignee"), "name")
    project = name_of(child(data, "project"), "name")
    return Described(
        linear_keys.issue(event.id),
        builder,
        f"{identifier}: {cut(title, 80)}" if identifier else cut(title, 80),
        (
            title,
            text(data, "description"),
            line("Team", name_of(team, "name")),
            line("State", name_of(state, "name")),
            line("Priority", name_of(data, "priorityLabel")),
            line("Project", project),
            line("Cycle", cycle_name(cycle)),
            line("Assignee", assigned_to),
            line("Labels", ", ".join(label_names)),
            line("Estimate", None if estimate is None else f"{estimate} points"),
            line("Due", due),
        ),
        author,
        {
            "issueId": event.id,
            "identifier": identifier,
            "previousIdentifiers": list(ids(data.get("previousIdentifiers"))),
            "number": number_of(data, "number"),
            "teamId": team_id,
            "teamKey": name_of(team, "key"),
            "teamName": name_of(team, "name"),
            "stateId": linked_id(data, "state"),
            "stateName": name_of(state, "name"),
            "stateType": name_of(state, "type"),
            "priority": number_of(data, "priority"),
            "priorityLabel": name_of(data, "priorityLabel"),
            "estimate": estimate,
            "projectId": linked_id(data, "project"),
            "projectName": project,
            "cycleId": linked_id(data, "cycle"),
            "cycleName": cycle_name(cycle),
            "parentId": parent_id,
            "assigneeId": assignee and assignee.source_id,
            "assigneeName": assigned_to,
            "creatorId": author and author.source_id,
            "labels": label_names,
            "branchName": branch,
            "dueDate": due,
            "startedAt": name_of(data, "startedAt"),
            "completedAt": name_of(data, "completedAt"),
            "canceledAt": name_of(data, "canceledAt"),
        },
    )


def _states(
    data: Mapping[str, Any], subject: Thing, transition: LinearTransition
) -> Sequence[StateChange]:
    name, at, field = transition.name, transition.at, transition.field
    if name == "deleted":
        return canceled_by_deletion(subject, at, 5, was_over=_status(data) in _DONE)
    states = []
    if name in ("created", "restored") or field == "state":
        states += _status_state(subject, data, at, name)
    if name == "created" or field == "priority":
        value = _priority_now(data)
        states += [StateChange(subject, "priority", value, at, reason=name)] if value else []
    for link in ("assignee", "cycle"):
        if field == link or (name == "created" and linked_id(data, link)):
            states.append(_linked_state(subject, data, link, at, name))
    return states


def _status(data: Mapping[str, Any]) -> str | None:
    return _STATUSES.get(text(child(data, "state"), "type") or "")


def _status_state(
    subject: Thing, data: Mapping[str, Any], at: datetime, reason: str
) -> list[StateChange]:
    state, status = child(data, "state"), _status(data)
    if status is None:
        return []
    facts = {"name": name_of(state, "name"), "type": state["type"], "id": name_of(state, "id")}
    return [StateChange(subject, "status", status, at, _RANKS[status], reason, facts)]


def _linked_state(
    subject: Thing, data: Mapping[str, Any], name: str, at: datetime, reason: str
) -> StateChange:
    """The assignee or the cycle, by key; `none` where there is none."""
    identity = linked_id(data, name)
    if identity is None:
        return StateChange(subject, name, "none", at, reason=reason)
    if name == "assignee":
        assignee = account(child(data, name), identity)
        shown_as = assignee and (assignee.name or assignee.username)
        key = keys.user("linear", identity)
    else:
        shown_as, key = cycle_name(child(data, name)), linear_keys.cycle(identity)
    return StateChange(subject, name, key, at, reason=reason, metadata={"name": shown_as})


ISSUE = EntityKind(
    thing="issue",
    tags=("Issue Created", "Issue Updated", "Issue Deleted"),
    weights=(50, 40),
    fields=_FIELDS,
    describe=describe,
    states=_states,
)
