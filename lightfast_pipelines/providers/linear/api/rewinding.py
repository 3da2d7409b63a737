"""An issue taken back through its history, from what it is now to what it was when it was made.

Each entry of the history becomes the change that the webhook told, with the issue as it was after it.
Which requests bring the entries stands in `issues.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, Record
from lightfast_pipelines.providers.fields import child, name_of, time
from lightfast_pipelines.providers.linear.api.queries import moment
from lightfast_pipelines.providers.linear.api.records import (
    Teller,
    linked,
    needed_id,
    needed_time,
    nodes,
)

# What an issue is linked to -> how its history names it (`fromState`, `toStateId`).
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
_KEPT = ("id", "number", "identifier", "title", "priority", "estimate", "dueDate", "url")
_PRIORITIES = ("No priority", "Urgent", "High", "Medium", "Low")


@dataclass(slots=True)
class Rewinding:
    """One issue on its way back. `data` is the webhook's, as it was before the entries read so far.

    `labels` are names by id. `ended` is when it was archived or trashed, as long as no entry has told
    of it.
    """

    data: Json
    organization: str
    url: str | None
    labels: dict[str, str] = field(default_factory=dict)
    ended: str | None = None

    @classmethod
    def of(cls, issue: Mapping[str, Any], organization: str) -> Rewinding:
        """From the issue as it is now. Raises Missing."""
        needed_id(issue), needed_time(issue, "createdAt")
        data: Json = {name: issue.get(name) for name in _KEPT}
        data["createdAt"] = issue["createdAt"]
        data["description"] = issue.get("description")
        data["previousIdentifiers"] = list(issue.get("previousIdentifiers") or ())
        data["labelIds"] = list(issue.get("labelIds") or ())
        linked(data, issue, "creator", "externalUserCreator", *_LINKS)
        if isinstance(issue.get("botActor"), dict):
            data["botActor"] = issue["botActor"]
        if issue.get("trashed"):
            data["trashed"] = True
        labels = {each["id"]: each["name"] for each in nodes(issue, "labels")}
        return cls(data, organization, name_of(issue, "url"), labels, issue.get("archivedAt"))

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}

    def back(self, entry: Mapping[str, Any]) -> list[Record]:
        """What the entry tells, none where it is of nothing that is kept; the issue is before it then.

        Raises Missing."""
        at, identity = needed_time(entry, "createdAt"), needed_id(entry)
        for label in entry.get("removedLabels") or ():
            self.labels.setdefault(label["id"], label["name"])
        before = dict(self.data)
        changed: Json = {}
        for name, called in _LINKS.items():
            self._link(name, called, entry, before, changed)
        for name, called in _VALUES.items():
            old, new = entry.get(f"from{called}"), entry.get(f"to{called}")
            if old is not None or new is not None:
                self.data[name], before[name], changed[name] = new, old, old
        self._labels(entry, before, changed)
        self._text(entry, before, changed)
        found = self._ending(entry, at, before, changed)
        after, self.data = self.data, before
        if found == "remove":
            return [self._told("remove", after, at, identity, actor_of(entry))]
        if not changed:
            return []
        return [self._told("update", after, at, identity, actor_of(entry), changed)]

    def untold_end(self) -> list[Record]:
        """That it was archived or trashed, where its history has no entry of it."""
        at = time({"at": self.ended}, "at")
        if at is None:
            return []
        data = {**self.data, "archivedAt": moment(at)}
        self.ended = None
        self.data.pop("trashed", None)
        if data.get("trashed"):
            return [self._told("remove", data, at, "ended", None)]
        return [self._told("update", data, at, "ended", None, {"archivedAt": None})]

    def made(self) -> Record:
        """That it was made: once all entries have been taken back."""
        return self._told("create", self.data, needed_time(self.data, "createdAt"), "created", None)

    def _link(
        self, name: str, called: str, entry: Mapping[str, Any], before: Json, changed: Json
    ) -> None:
        old, new = _side(entry, f"from{called}"), _side(entry, f"to{called}")
        if old is None and new is None:
            return
        if self.data.get(f"{name}Id") != (new or {}).get("id"):
            _set(self.data, name, new)
        _set(before, name, old)
        changed[f"{name}Id"] = before[f"{name}Id"]
        if name == "team" and old is not None:
            _rename(before, old)

    def _labels(self, entry: Mapping[str, Any], before: Json, changed: Json) -> None:
        added = set(entry.get("addedLabelIds") or ())
        removed = [each for each in entry.get("removedLabelIds") or () if each not in added]
        if not added and not removed:
            return
        now = [each for each in self.data["labelIds"] if each not in removed]
        self.data["labelIds"] = [*now, *sorted(added - set(now))]
        before["labelIds"] = [*(each for each in now if each not in added), *removed]
        changed["labelIds"] = before["labelIds"]

    def _text(self, entry: Mapping[str, Any], before: Json, changed: Json) -> None:
        """Linear does not keep what a description was: only that it has changed."""
        if entry.get("updatedDescription"):
            before["description"] = None
            self.data["descriptionData"], changed["descriptionData"] = True, None

    def _ending(
        self, entry: Mapping[str, Any], at: datetime, before: Json, changed: Json
    ) -> str | None:
        """Trashed (told as removed), archived, or brought back."""
        trashed, archived = entry.get("trashed"), entry.get("archived")
        if trashed is None and archived is None:
            return None
        own = time({"at": self.ended}, "at") or at
        self.ended = None
        before.pop("trashed", None)
        if trashed:
            self.data |= {"trashed": True, "archivedAt": moment(own)}
            return "remove"
        if trashed is False:
            self.data.pop("trashed", None)
            before["trashed"], changed["trashed"] = True, True
        elif archived:
            self.data["archivedAt"], changed["archivedAt"] = moment(own), None
        else:
            # When it had been archived an older entry tells.
            changed["archivedAt"] = True
        return None

    def _told(
        self,
        action: str,
        data: Json,
        at: datetime,
        fact: str,
        actor: Json | None,
        changed: Json | None = None,
    ) -> Record:
        shown = {**data, "updatedAt": moment(at)}
        priority = data.get("priority")
        if isinstance(priority, int | float) and 0 <= priority < len(_PRIORITIES):
            shown["priorityLabel"] = _PRIORITIES[int(priority)]
        known = [each for each in data["labelIds"] if each in self.labels]
        shown["labels"] = [{"id": each, "name": self.labels[each]} for each in known]
        own = time(data, "archivedAt") if "archivedAt" in data else None
        teller = Teller("Issue", self.organization, self.url)
        return teller.told(action, shown, own or at, fact, actor=actor, updated_from=changed)


def actor_of(entry: Mapping[str, Any]) -> Json | None:
    """Who made a change, as webhooks name them; None where Linear does not say."""
    person, bot = child(entry, "actor"), child(entry, "botActor")
    if person:
        kind = "oauthClient" if person.get("app") else "user"
        named = {name: each for name, each in person.items() if name != "app" and each is not None}
        return {"type": kind, **named}
    if name_of(entry, "actorId"):
        return {"type": "user", "id": entry["actorId"]}
    if name_of(bot, "id"):
        return {"type": "integration", "id": bot["id"], "service": bot.get("type")}
    return None


def _side(entry: Mapping[str, Any], name: str) -> Json | None:
    """What a link came from or went to: at least its id."""
    found, identity = entry.get(name), entry.get(f"{name}Id")
    if isinstance(found, dict):
        return {key: value for key, value in found.items() if value is not None}
    return {"id": identity} if isinstance(identity, str) else None


def _set(data: Json, name: str, value: Json | None) -> None:
    data[f"{name}Id"] = value and value["id"]
    if value is None:
        data.pop(name, None)
    else:
        data[name] = value


def _rename(before: Json, team: Mapping[str, Any]) -> None:
    """In another team it had another identifier, which it still answers to."""
    begins = f"{team.get('key')}-"
    earlier = [each for each in before["previousIdentifiers"] if each.startswith(begins)]
    if earlier:
        before["identifier"] = earlier[-1]
        before["number"] = int(earlier[-1].removeprefix(begins))
        at = before["previousIdentifiers"].index(earlier[-1])
        before["previousIdentifiers"] = before["previousIdentifiers"][:at]
    else:
        before["identifier"] = before["number"] = None
