"""Rewinds an issue through its history, from what it is now to what it was when it was created.

Each entry of the history becomes the webhook of that change, with the issue as it was afterwards.
`issues.py` requests the entries.
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
    RecordBuilder,
    copy_links,
    needed_id,
    needed_time,
    nodes,
)

# Linked entity -> how the history names it (`fromState`, `toStateId`).
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
    """One issue while it is rewound. `data` is the webhook's, as it was before the entries read so far.

    `labels` holds names by id. `ended` is when the issue was archived or trashed, until an entry
    accounts for it.
    """

    data: Json
    organization: str
    url: str | None
    labels: dict[str, str] = field(default_factory=dict)
    ended: str | None = None

    @classmethod
    def of(cls, issue: Mapping[str, Any], organization: str) -> Rewinding:
        """Starts with the issue as it is now. Raises Missing."""
        needed_id(issue), needed_time(issue, "createdAt")
        data: Json = {name: issue.get(name) for name in _KEPT}
        data["createdAt"] = issue["createdAt"]
        data["description"] = issue.get("description")
        data["previousIdentifiers"] = list(issue.get("previousIdentifiers") or ())
        data["labelIds"] = list(issue.get("labelIds") or ())
        copy_links(data, issue, "creator", "externalUserCreator", *_LINKS)
        if isinstance(issue.get("botActor"), dict):
            data["botActor"] = issue["botActor"]
        if issue.get("trashed"):
            data["trashed"] = True
        labels = {label["id"]: label["name"] for label in nodes(issue, "labels")}
        return cls(data, organization, name_of(issue, "url"), labels, issue.get("archivedAt"))

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}

    def back(self, entry: Mapping[str, Any]) -> list[Record]:
        """Undoes an entry, and returns its record, if it changed anything that we keep.

        Raises Missing."""
        at, entry_id = needed_time(entry, "createdAt"), needed_id(entry)
        for label in entry.get("removedLabels") or ():
            self.labels.setdefault(label["id"], label["name"])
        before = dict(self.data)
        changed: Json = {}
        for name, suffix in _LINKS.items():
            self._undo_link(name, suffix, entry, before, changed)
        for name, suffix in _VALUES.items():
            old, new = entry.get(f"from{suffix}"), entry.get(f"to{suffix}")
            if old is not None or new is not None:
                self.data[name], before[name], changed[name] = new, old, old
        self._undo_labels(entry, before, changed)
        if entry.get("updatedDescription"):
            # Linear records only that a description changed, not what it was.
            before["description"] = None
            self.data["descriptionData"], changed["descriptionData"] = True, None
        is_removal = self._undo_end(entry, at, before, changed)
        after, self.data = self.data, before
        if is_removal:
            return [self._record("remove", after, at, entry_id, actor_of(entry))]
        if not changed:
            return []
        return [self._record("update", after, at, entry_id, actor_of(entry), changed)]

    def end_without_entry(self) -> list[Record]:
        """The archiving or trashing of the issue, if its history has no entry for it."""
        at = time({"at": self.ended}, "at")
        if at is None:
            return []
        data = {**self.data, "archivedAt": moment(at)}
        self.ended = None
        self.data.pop("trashed", None)
        if data.get("trashed"):
            return [self._record("remove", data, at, "ended", None)]
        return [self._record("update", data, at, "ended", None, {"archivedAt": None})]

    def created(self) -> Record:
        """The creation of the issue: once all entries are undone."""
        at = needed_time(self.data, "createdAt")
        return self._record("create", self.data, at, "created", None)

    def _undo_link(
        self, name: str, suffix: str, entry: Mapping[str, Any], before: Json, changed: Json
    ) -> None:
        old, new = _link_in(entry, f"from{suffix}"), _link_in(entry, f"to{suffix}")
        if old is None and new is None:
            return
        if self.data.get(f"{name}Id") != (new or {}).get("id"):
            _set_link(self.data, name, new)
        _set_link(before, name, old)
        changed[f"{name}Id"] = before[f"{name}Id"]
        if name == "team" and old is not None:
            _restore_identifier(before, old)

    def _undo_labels(self, entry: Mapping[str, Any], before: Json, changed: Json) -> None:
        added = set(entry.get("addedLabelIds") or ())
        removed = [label for label in entry.get("removedLabelIds") or () if label not in added]
        if not added and not removed:
            return
        remaining = [label for label in self.data["labelIds"] if label not in removed]
        self.data["labelIds"] = [*remaining, *sorted(added - set(remaining))]
        before["labelIds"] = [*(label for label in remaining if label not in added), *removed]
        changed["labelIds"] = before["labelIds"]

    def _undo_end(
        self, entry: Mapping[str, Any], at: datetime, before: Json, changed: Json
    ) -> bool:
        """Undoes trashing, archiving or restoring. True for trashing, whose webhook is a removal."""
        trashed, archived = entry.get("trashed"), entry.get("archived")
        if trashed is None and archived is None:
            return False
        ended_at = time({"at": self.ended}, "at") or at
        self.ended = None
        before.pop("trashed", None)
        if trashed:
            self.data |= {"trashed": True, "archivedAt": moment(ended_at)}
            return True
        if trashed is False:
            self.data.pop("trashed", None)
            before["trashed"], changed["trashed"] = True, True
        elif archived:
            self.data["archivedAt"], changed["archivedAt"] = moment(ended_at), None
        else:
            # An older entry says when it had been archived.
            changed["archivedAt"] = True
        return False

    def _record(
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
        shown["labels"] = [
            {"id": label, "name": self.labels[label]}
            for label in data["labelIds"]
            if label in self.labels
        ]
        archived_at = time(data, "archivedAt") if "archivedAt" in data else None
        builder = RecordBuilder("Issue", self.organization, self.url)
        return builder.record(
            action, shown, archived_at or at, fact, actor=actor, updated_from=changed
        )


def actor_of(entry: Mapping[str, Any]) -> Json | None:
    """Who made a change, in the form of webhooks; None if Linear does not say."""
    person, bot = child(entry, "actor"), child(entry, "botActor")
    if person:
        kind = "oauthClient" if person.get("app") else "user"
        fields = {
            name: value for name, value in person.items() if name != "app" and value is not None
        }
        return {"type": kind, **fields}
    if name_of(entry, "actorId"):
        return {"type": "user", "id": entry["actorId"]}
    if name_of(bot, "id"):
        return {"type": "integration", "id": bot["id"], "service": bot.get("type")}
    return None


def _link_in(entry: Mapping[str, Any], name: str) -> Json | None:
    """The entity that a link came from or went to: at least its id."""
    entity, entity_id = entry.get(name), entry.get(f"{name}Id")
    if isinstance(entity, dict):
        return {key: value for key, value in entity.items() if value is not None}
    return {"id": entity_id} if isinstance(entity_id, str) else None


def _set_link(data: Json, name: str, value: Json | None) -> None:
    data[f"{name}Id"] = value and value["id"]
    if value is None:
        data.pop(name, None)
    else:
        data[name] = value


def _restore_identifier(before: Json, team: Mapping[str, Any]) -> None:
    """In its earlier team the issue had another identifier, by which it can still be found."""
    prefix = f"{team.get('key')}-"
    earlier = [name for name in before["previousIdentifiers"] if name.startswith(prefix)]
    if earlier:
        before["identifier"] = earlier[-1]
        before["number"] = int(earlier[-1].removeprefix(prefix))
        at = before["previousIdentifiers"].index(earlier[-1])
        before["previousIdentifiers"] = before["previousIdentifiers"][:at]
    else:
        before["identifier"] = before["number"] = None
