"""Issues of a small organization at Linear, and the comments on them: what is done changes them, is kept in
their history and is sent as webhooks.
"""

from __future__ import annotations

from typing import Any

from tests.servers.linear_ground import Json, LinearGround, link

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


class LinearIssues(LinearGround):
    def issue(self, team: Json | None = None, creator: Json | None = None, **more: Any) -> Json:
        at, team = self.tick(), team or self.teams[0]
        self._numbers[team["id"]] += 1
        number = self._numbers[team["id"]]
        title = str(more.pop("title", f"Issue number {number}"))
        item: Json = {
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
        self.issues.append(_with_label_ids(item))
        self.send("Issue", "create", self._issue_data(item), at, item["url"], item["creator"])
        return item

    def attach(self, issue: Json, by: Json, address: str) -> Json:
        at, number = self.soon(), sum(len(other["attachments"]) for other in self.issues) + 1
        item: Json = {
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
        issue["attachments"].append(item)
        data = {name: value for name, value in item.items() if name != "creator"}
        link(data, item, "creator")
        data |= {"issueId": issue["id"], "issue": self._named(issue)}
        self.send("Attachment", "create", data, at, None, by)
        return item

    def relate(self, issue: Json, other: Json, kind: str) -> None:
        at, number = (
            self.soon(),
            sum(len(each_issue["relations"]) for each_issue in self.issues) + 1,
        )
        named = {name: other[name] for name in ("id", "identifier", "title", "url")}
        item: Json = {"id": f"relation-{number}", "createdAt": at, "type": kind}
        item["relatedIssue"] = other
        issue["relations"].append(item)
        data = {name: item[name] for name in ("id", "createdAt", "type")} | {"updatedAt": at}
        data |= {"issueId": issue["id"], "issue": self._named(issue)}
        data |= {"relatedIssueId": other["id"], "relatedIssue": named}
        self.send("IssueRelation", "create", data, at, None, None)

    def _named(self, issue: Json) -> Json:
        named = {name: issue[name] for name in ("id", "identifier", "title", "url")}
        link(named, issue, "team")
        return named

    def change(self, issue: Json, by: Json | None = None, **changes: Any) -> None:
        """One mutation of any fields; `labels` and links are given as things."""
        at, updated_from = self.tick(), {"updatedAt": issue["updatedAt"]}
        entry = self._entry(issue, at, by)
        for name, new in changes.items():
            old = issue[name]
            if name in _LINKS:
                suffix = _LINKS[name]
                entry[f"from{suffix}"], entry[f"to{suffix}"] = old, new
                entry[f"from{suffix}Id"] = old and old["id"]
                entry[f"to{suffix}Id"] = new and new["id"]
                updated_from[f"{name}Id"] = old and old["id"]
            elif name in _VALUES:
                entry[f"from{_VALUES[name]}"], entry[f"to{_VALUES[name]}"] = old, new
                updated_from[name] = old
            elif name == "labels":
                before, now = ({label["id"] for label in side} for side in (old, new))
                entry["addedLabelIds"] = sorted(now - before) or None
                entry["removedLabels"] = [label for label in old if label["id"] not in now] or None
                gone = [label["id"] for label in entry["removedLabels"] or ()]
                entry["removedLabelIds"] = gone or None
                updated_from["labelIds"] = [label["id"] for label in old]
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
        self.send("Issue", "update", self._issue_data(issue), at, issue["url"], by, updated_from)

    def end(self, issue: Json, by: Json | None = None, *, trash: bool) -> None:
        """Archived, or put into the trash: neither changes `updatedAt`."""
        at = self.tick()
        entry = self._entry(issue, at, by)
        entry["archived"], issue["archivedAt"] = True, at
        if trash:
            entry["trashed"] = issue["trashed"] = True
        action, updated_from = ("remove", None) if trash else ("update", {"archivedAt": None})
        data = self._issue_data(issue)
        self.send("Issue", action, data, at, issue["url"], by, updated_from)

    def bring_back(self, issue: Json, by: Json | None = None) -> None:
        at = self.tick()
        entry, updated_from = self._entry(issue, at, by), {"archivedAt": issue["archivedAt"]}
        entry["archived"] = False
        if issue["trashed"]:
            entry["trashed"], updated_from["trashed"] = False, True
        issue["archivedAt"], issue["trashed"], issue["updatedAt"] = None, None, at
        self.send("Issue", "update", self._issue_data(issue), at, issue["url"], by, updated_from)

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
        data["labels"] = [dict(label) for label in issue["labels"]]
        data["labelIds"] = list(issue["labelIds"])
        link(data, issue, "creator", *_LINKS)
        return data

    def comment(self, issue: Json, by: Json) -> Json:
        at = self.tick()
        item: Json = {
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
        self.comments.append(item)
        self.send("Comment", "create", self._comment_data(item), at, item["url"], by)
        return item

    def resolve(self, comment: Json, by: Json) -> None:
        at = self.tick()
        comment["resolvedAt"], comment["updatedAt"], comment["resolvingUser"] = at, at, by
        data = self._comment_data(comment)
        self.send("Comment", "update", data, at, comment["url"], by, {"resolvedAt": None})

    def _comment_data(self, comment: Json) -> Json:
        kept = ("id", "createdAt", "updatedAt", "editedAt", "resolvedAt", "body")
        data = {name: comment[name] for name in kept}
        link(data, comment, "user")
        issue = comment["issue"]
        about = {name: issue[name] for name in ("id", "identifier", "title", "url")}
        link(about, issue, "team")
        return data | {"issueId": issue["id"], "issue": about}


def _with_label_ids(issue: Json) -> Json:
    issue["labelIds"] = [label["id"] for label in issue["labels"]]
    return issue
