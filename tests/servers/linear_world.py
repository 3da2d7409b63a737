"""A small organization at Linear: what is done in it changes things, is kept as history and is told by
webhooks, as Linear does all three.

Things are dictionaries with the names of Linear's GraphQL schema. How they are asked for stands in
`linear.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

_LINKS = {
    "state": "State",
    "assignee": "Assignee",
    "delegate": "Delegate",
    "project": "Project",
    "cycle": "Cycle",
    "projectMilestone": "ProjectMilestone",
    "parent": "Parent",
    "team": "Team",
}
_VALUES = {
    "title": "Title",
    "priority": "Priority",
    "estimate": "Estimate",
    "dueDate": "DueDate",
}
_NAMES = (*_LINKS.values(), *_VALUES.values())
_ENTRY = (
    "actor",
    "actorId",
    "botActor",
    "archived",
    "trashed",
    "updatedDescription",
    "addedLabelIds",
    "removedLabelIds",
    "removedLabels",
    *(f"{side}{name}" for side in ("from", "to") for name in _NAMES),
    *(f"{side}{name}Id" for side in ("from", "to") for name in _LINKS.values()),
)
STATES = {
    "Triage": "triage",
    "Backlog": "backlog",
    "Todo": "unstarted",
    "In Progress": "started",
    "Done": "completed",
    "Canceled": "canceled",
}


def text_of(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _person(name: str) -> Json:
    handle = name.lower()
    return {
        "id": f"user-{handle}",
        "name": name,
        "email": f"{handle}@acme.dev",
        "avatarUrl": f"https://avatars.linear.app/{handle}.png",
        "url": f"https://linear.app/acme/profiles/{handle}",
        "app": False,
    }


def _shown(person: Json | None) -> Json | None:
    """A person as a webhook names one."""
    return person and {name: each for name, each in person.items() if name != "app"}


@dataclass
class World:
    """`told` are the webhooks of all that was done, in order; `now` goes on with each thing done."""

    seed: int = 0
    now: datetime = datetime(2024, 1, 8, 9, 0, 0, 250_000, tzinfo=UTC)
    told: list[tuple[str, Json]] = field(default_factory=list)
    issues: list[Json] = field(default_factory=list)
    comments: list[Json] = field(default_factory=list)
    projects: list[Json] = field(default_factory=list)
    updates: list[Json] = field(default_factory=list)
    cycles: list[Json] = field(default_factory=list)
    organization: Json = field(default_factory=lambda: {"id": "org-1", "name": "Acme"})

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.people = [_person(name) for name in ("Ada", "Grace", "Alan", "Edsger")]
        self.bot = {
            "id": "bot-github",
            "type": "github",
            "name": "GitHub",
            "avatarUrl": None,
            "subType": None,
        }
        self.teams = [
            {"id": "team-1", "key": "ENG", "name": "Engineering", "archivedAt": None},
            {"id": "team-2", "key": "OPS", "name": "Operations", "archivedAt": None},
        ]
        for team in self.teams:
            team["createdAt"] = text_of(self.now)
        self.states = [
            {"id": f"state-{kind}", "name": name, "type": kind} for name, kind in STATES.items()
        ]
        self.labels = [
            {"id": f"label-{name.lower()}", "name": name} for name in ("Bug", "Feature", "Slow")
        ]
        self.milestones = [{"id": f"milestone-{n}", "name": f"M{n}"} for n in (1, 2)]
        self._numbers = {team["id"]: 0 for team in self.teams}

    def tick(self, seconds: float | None = None) -> str:
        """Some time later; no two things are done at one moment."""
        step = seconds if seconds is not None else self.random.randint(60_000, 7_200_000) / 1000
        self.now += timedelta(seconds=step)
        return text_of(self.now)

    # Issues

    def issue(self, team: Json | None = None, creator: Json | None = None, **more: Any) -> Json:
        at, team = self.tick(), team or self.teams[0]
        self._numbers[team["id"]] += 1
        number = self._numbers[team["id"]]
        title = str(more.pop("title", f"Issue number {number}"))
        made: Json = {
            "id": f"issue-{len(self.issues) + 1}",
            "createdAt": at,
            "updatedAt": at,
            "archivedAt": None,
            "trashed": None,
            "number": number,
            "identifier": f"{team['key']}-{number}",
            "title": title,
            "description": "It holds what will be bought.",
            "priority": 0,
            "estimate": None,
            "dueDate": None,
            "url": f"https://linear.app/acme/issue/{team['key']}-{number}/a-cart",
            "previousIdentifiers": [],
            "labels": [],
            "creator": creator or self.people[0],
            "externalUserCreator": None,
            "botActor": None,
            "team": team,
            "state": self.states[2],
            "history": [],
            "attachments": [],
            "relations": [],
            **{name: None for name in _LINKS if name not in ("team", "state")},
            **more,
        }
        self.issues.append(_with_label_ids(made))
        self._tell("Issue", "create", self._issue_data(made), at, made["url"], made["creator"])
        return made

    def attach(self, issue: Json, by: Json, address: str) -> Json:
        at, number = self._soon(), sum(len(each["attachments"]) for each in self.issues) + 1
        made: Json = {
            "id": f"attachment-{number}",
            "createdAt": at,
            "updatedAt": at,
            "title": f"Pull request {number}",
            "subtitle": None,
            "url": address,
            "sourceType": "github",
            "metadata": {"status": "open"},
            "creator": by,
        }
        issue["attachments"].append(made)
        data = {name: each for name, each in made.items() if name != "creator"}
        _link(data, made, "creator")
        data |= {"issueId": issue["id"], "issue": self._named(issue)}
        self._tell("Attachment", "create", data, at, None, by)
        return made

    def relate(self, issue: Json, other: Json, kind: str) -> None:
        at, number = self._soon(), sum(len(each["relations"]) for each in self.issues) + 1
        named = {name: other[name] for name in ("id", "identifier", "title", "url")}
        made: Json = {"id": f"relation-{number}", "createdAt": at, "type": kind}
        made["relatedIssue"] = other
        issue["relations"].append(made)
        data = {name: made[name] for name in ("id", "createdAt", "type")} | {"updatedAt": at}
        data |= {"issueId": issue["id"], "issue": self._named(issue)}
        data |= {"relatedIssueId": other["id"], "relatedIssue": named}
        self._tell("IssueRelation", "create", data, at, None, None)

    def _named(self, issue: Json) -> Json:
        named = {name: issue[name] for name in ("id", "identifier", "title", "url")}
        _link(named, issue, "team")
        return named

    def _soon(self) -> str:
        """A moment later, without a throw of the dice."""
        self.now += timedelta(milliseconds=1)
        return text_of(self.now)

    def change(self, issue: Json, by: Json | None = None, **changes: Any) -> None:
        """One mutation of any fields; `labels` and links are given as things."""
        at, updated_from = self.tick(), {"updatedAt": issue["updatedAt"]}
        entry = self._entry(issue, at, by)
        for name, new in changes.items():
            old = issue[name]
            if name in _LINKS:
                called = _LINKS[name]
                entry[f"from{called}"], entry[f"to{called}"] = old, new
                entry[f"from{called}Id"] = old and old["id"]
                entry[f"to{called}Id"] = new and new["id"]
                updated_from[f"{name}Id"] = old and old["id"]
            elif name in _VALUES:
                entry[f"from{_VALUES[name]}"], entry[f"to{_VALUES[name]}"] = old, new
                updated_from[name] = old
            elif name == "labels":
                before, now = ({each["id"] for each in side} for side in (old, new))
                entry["addedLabelIds"] = sorted(now - before) or None
                entry["removedLabels"] = [each for each in old if each["id"] not in now] or None
                gone = [each["id"] for each in entry["removedLabels"] or ()]
                entry["removedLabelIds"] = gone or None
                updated_from["labelIds"] = [each["id"] for each in old]
            else:
                entry["updatedDescription"] = True
                updated_from["description"] = old
            issue[name] = new
        if "team" in changes:
            team = changes["team"]
            self._numbers[team["id"]] += 1
            issue["previousIdentifiers"] = [*issue["previousIdentifiers"], issue["identifier"]]
            issue["number"] = self._numbers[team["id"]]
            issue["identifier"] = f"{team['key']}-{issue['number']}"
        issue["updatedAt"] = at
        _with_label_ids(issue)
        self._tell("Issue", "update", self._issue_data(issue), at, issue["url"], by, updated_from)

    def end(self, issue: Json, by: Json | None = None, *, trash: bool) -> None:
        """Archived, or put into the trash: neither changes `updatedAt`."""
        at = self.tick()
        entry = self._entry(issue, at, by)
        entry["archived"], issue["archivedAt"] = True, at
        if trash:
            entry["trashed"] = issue["trashed"] = True
        action, updated_from = ("remove", None) if trash else ("update", {"archivedAt": None})
        data = self._issue_data(issue)
        self._tell("Issue", action, data, at, issue["url"], by, updated_from)

    def bring_back(self, issue: Json, by: Json | None = None) -> None:
        at = self.tick()
        entry, updated_from = self._entry(issue, at, by), {"archivedAt": issue["archivedAt"]}
        entry["archived"] = False
        if issue["trashed"]:
            entry["trashed"], updated_from["trashed"] = False, True
        issue["archivedAt"], issue["trashed"], issue["updatedAt"] = None, None, at
        self._tell("Issue", "update", self._issue_data(issue), at, issue["url"], by, updated_from)

    def _entry(self, issue: Json, at: str, by: Json | None) -> Json:
        entry: Json = dict.fromkeys(_ENTRY)
        entry["id"] = f"{issue['id']}-history-{len(issue['history']) + 1}"
        entry["createdAt"], entry["archivedAt"] = at, None
        if by is self.bot:
            entry["botActor"] = by
        elif by is not None:
            entry["actor"], entry["actorId"] = by, by["id"]
        issue["history"].append(entry)
        return entry

    def _issue_data(self, issue: Json) -> Json:
        kept = ("id", "createdAt", "updatedAt", "number", "identifier", "title", "description")
        more = ("priority", "estimate", "dueDate", "url", "archivedAt", "trashed")
        data = {name: issue[name] for name in (*kept, *more)}
        data |= {"previousIdentifiers": list(issue["previousIdentifiers"])}
        data["labels"] = [dict(each) for each in issue["labels"]]
        data["labelIds"] = list(issue["labelIds"])
        _link(data, issue, "creator", *_LINKS)
        return data

    # What is said of them

    def comment(self, issue: Json, by: Json) -> Json:
        at = self.tick()
        made: Json = {
            "id": f"comment-{len(self.comments) + 1}",
            "createdAt": at,
            "updatedAt": at,
            "editedAt": None,
            "resolvedAt": None,
            "archivedAt": None,
            "body": f"The total is wrong ({len(self.comments)}).",
            "url": f"{issue['url']}#comment-{len(self.comments) + 1}",
            "user": by,
            "externalUser": None,
            "botActor": None,
            "resolvingUser": None,
            "parent": None,
            "project": None,
            "projectUpdate": None,
            "issue": issue,
        }
        self.comments.append(made)
        self._tell("Comment", "create", self._comment_data(made), at, made["url"], by)
        return made

    def edit(self, thing: Json, by: Json) -> None:
        """A comment's or an update's text; `editedAt` is some milliseconds off, as at Linear."""
        at = self.tick()
        updated_from = {"body": thing["body"], "updatedAt": thing["updatedAt"]}
        off = timedelta(milliseconds=self.random.choice((-1, 0, 3)))
        thing["editedAt"], thing["updatedAt"] = text_of(self.now + off), at
        thing["body"] += " It is edited."
        kind = "Comment" if "issue" in thing else "ProjectUpdate"
        data = self._comment_data(thing) if kind == "Comment" else self._update_data(thing)
        self._tell(kind, "update", data, at, thing["url"], by, updated_from)

    def resolve(self, comment: Json, by: Json) -> None:
        at = self.tick()
        comment["resolvedAt"], comment["updatedAt"], comment["resolvingUser"] = at, at, by
        data = self._comment_data(comment)
        self._tell("Comment", "update", data, at, comment["url"], by, {"resolvedAt": None})

    def _comment_data(self, comment: Json) -> Json:
        kept = ("id", "createdAt", "updatedAt", "editedAt", "resolvedAt", "body")
        data = {name: comment[name] for name in kept}
        _link(data, comment, "user")
        issue = comment["issue"]
        about = {name: issue[name] for name in ("id", "identifier", "title", "url")}
        _link(about, issue, "team")
        return data | {"issueId": issue["id"], "issue": about}

    # Projects, what is reported of them, cycles

    def project(self, creator: Json, *teams: Json) -> Json:
        at, number = self.tick(), len(self.projects) + 1
        made: Json = {
            "id": f"project-{number}",
            "createdAt": at,
            "updatedAt": at,
            "archivedAt": None,
            "trashed": None,
            "name": f"Project {number}",
            "description": "From cart to receipt.",
            "slugId": f"0c0ffee{number}",
            "url": f"https://linear.app/acme/project/{number}-0c0ffee{number}",
            "health": None,
            "healthUpdatedAt": None,
            "priority": 0,
            "startDate": None,
            "targetDate": None,
            "startedAt": None,
            "completedAt": None,
            "canceledAt": None,
            "creator": creator,
            "lead": self.people[0],
            "status": _status("planned"),
            "teams": list(teams) or [self.teams[0]],
            "members": [creator],
        }
        made["accessibleTeams"] = made["teams"]
        self.projects.append(made)
        self._tell("Project", "create", self._project_data(made), at, made["url"], creator)
        return made

    def move(self, project: Json, kind: str, by: Json) -> None:
        at = self.tick()
        updated_from = {"statusId": project["status"]["id"], "updatedAt": project["updatedAt"]}
        project["status"], project["updatedAt"] = _status(kind), at
        name = {"started": "startedAt", "completed": "completedAt", "canceled": "canceledAt"}
        if kind in name:
            project[name[kind]] = at
        data = self._project_data(project)
        self._tell("Project", "update", data, at, project["url"], by, updated_from)

    def end_project(self, project: Json, by: Json, *, trash: bool) -> None:
        at = self.tick()
        project["archivedAt"], project["trashed"] = at, True if trash else None
        action, updated_from = ("remove", None) if trash else ("update", {"archivedAt": None})
        data = self._project_data(project)
        self._tell("Project", action, data, at, project["url"], by, updated_from)

    def _project_data(self, project: Json) -> Json:
        left_out = ("creator", "lead", "status", "teams", "members", "accessibleTeams")
        data = {name: each for name, each in project.items() if name not in left_out}
        _link(data, project, "creator", "lead", "status")
        data["teamIds"] = [each["id"] for each in project["teams"]]
        return data | {"memberIds": [each["id"] for each in project["members"]]}

    def report(self, project: Json, by: Json, health: str) -> Json:
        at, number = self.tick(), len(self.updates) + 1
        made: Json = {
            "id": f"update-{number}",
            "createdAt": at,
            "updatedAt": at,
            "editedAt": None,
            "archivedAt": None,
            "body": f"The cart is done ({number}).",
            "health": health,
            "url": f"{project['url']}/updates#{number}",
            "user": by,
            "project": project,
        }
        self.updates.append(made)
        self._tell("ProjectUpdate", "create", self._update_data(made), at, made["url"], by)
        self._change_health(project, health, at, by)
        return made

    def _change_health(self, project: Json, health: str, at: str, by: Json) -> None:
        """As Linear does after a report: the project's `updatedAt` stays what it was."""
        before = {name: project[name] for name in ("health", "healthUpdatedAt")}
        project |= {"health": health, "healthUpdatedAt": at}
        if health != before["health"]:
            data = self._project_data(project)
            self._tell("Project", "update", data, at, project["url"], by, before)

    def _update_data(self, update: Json) -> Json:
        kept = ("id", "createdAt", "updatedAt", "editedAt", "body", "health")
        data = {name: update[name] for name in kept}
        _link(data, update, "user")
        project = {name: update["project"][name] for name in ("id", "name", "url")}
        teams = [{"id": each["id"]} for each in update["project"]["teams"]]
        data |= {"projectId": project["id"], "project": project}
        return data | {"infoSnapshot": {"teamsInfo": teams}}

    def cycle(self, team: Json) -> Json:
        at, number = self.tick(), len(self.cycles) + 1
        made: Json = {
            "id": f"cycle-{number}",
            "createdAt": at,
            "updatedAt": at,
            "archivedAt": None,
            "completedAt": None,
            "number": number,
            "name": None,
            "description": None,
            "startsAt": text_of(self.now + timedelta(days=self.random.choice((-1, 7)))),
            "endsAt": text_of(self.now + timedelta(days=21)),
            "team": team,
        }
        self.cycles.append(made)
        self._tell("Cycle", "create", self._cycle_data(made), at, None, None)
        return made

    def end_cycle(self, cycle: Json, name: str, by: Json | None = None) -> None:
        """`completedAt` or `archivedAt`."""
        at = self.tick()
        cycle[name] = at
        if name == "completedAt":
            cycle["updatedAt"] = cycle["endsAt"] = at
        self._tell("Cycle", "update", self._cycle_data(cycle), at, None, by, {name: None})

    def _cycle_data(self, cycle: Json) -> Json:
        data = {name: each for name, each in cycle.items() if name != "team"}
        _link(data, cycle, "team")
        return data

    def _tell(
        self,
        kind: str,
        action: str,
        data: Json,
        at: str,
        url: str | None,
        by: Json | None,
        updated_from: Json | None = None,
    ) -> None:
        payload: Json = {"action": action, "type": kind, "createdAt": at, "data": data}
        payload |= {"organizationId": self.organization["id"], "webhookId": "hook-1"}
        payload["webhookTimestamp"] = int(self.now.timestamp() * 1000)
        if by is self.bot:
            payload["actor"] = {"id": by["id"], "type": "integration", "service": by["type"]}
        elif by is not None:
            payload["actor"] = {"type": "user", **(_shown(by) or {})}
        if updated_from is not None:
            payload["updatedFrom"] = updated_from
        if url is not None:
            payload["url"] = url
        self.told.append((kind, payload))


def webhooks(world: World) -> Iterator[tuple[str, Json]]:
    """(event, body) of each thing done."""
    yield from world.told


def _with_label_ids(issue: Json) -> Json:
    issue["labelIds"] = [each["id"] for each in issue["labels"]]
    return issue


def _status(kind: str) -> Json:
    return {"id": f"status-{kind}", "name": kind.title(), "type": kind}


_SHOWN = {
    "state": ("id", "name", "type"),
    "team": ("id", "key", "name"),
    "cycle": ("id", "number", "name"),
    "status": ("id", "name", "type"),
}


def _link(data: Json, thing: Json, *names: str) -> None:
    """Linked things as webhooks show them: a few of their fields, and the id beside."""
    for name in names:
        other = thing[name]
        data[f"{name}Id"] = other and other["id"]
        if other is not None:
            people = ("id", "name", "email", "avatarUrl", "url")
            is_person = name in ("creator", "assignee", "user", "lead")
            kept = people if is_person else _SHOWN.get(name, ("id", "name"))
            data[name] = {each: other.get(each) for each in kept if each in other}
