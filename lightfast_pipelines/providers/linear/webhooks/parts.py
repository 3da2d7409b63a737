"""What an issue, project or cycle points at, gathered in the order in which it is shown.

One instance is one observation's references, mentions, edges and accounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Account,
    AccountMention,
    Edge,
    Mention,
    Reference,
    Thing,
)
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, children, cut, name_of, text, url
from lightfast_pipelines.providers.linear.accounts import shown
from lightfast_pipelines.providers.linear.webhooks.event import linked_id, number_of
from lightfast_pipelines.providers.linear.webhooks.links import target_of


class Parts:
    """References, mentions, edges and accounts of one statement about `subject`."""

    def __init__(self, subject: Thing) -> None:
        self.subject = subject
        # A dictionary for its order and its look-up: a thing can have thousands of assignees.
        self.accounts: dict[AccountMention, None] = {}
        self.references: list[Reference] = []
        self.mentions: list[Mention] = [Mention(subject, "subject")]
        self.edges: list[Edge] = []

    def refer(self, kind: str, thing: Thing, shown_as: str, label: str | None = None) -> None:
        """A reference and a mention in the role of its kind."""
        self.references.append(Reference(kind, shown_as, thing.url, label))
        self.mentions.append(Mention(thing, kind))

    def relate(self, relation: str, thing: Thing, role: str = "reference") -> None:
        """The subject stands in this relation to `thing`."""
        if thing.key != self.subject.key:
            self.mentions.append(Mention(thing, role))
            self.edges.append(Edge(self.subject, relation, thing))

    def add_person(self, role: str, found: Account | None, *, refer: bool = True) -> None:
        """An account in a role, also a mention of the user."""
        if found is None:
            return
        mention = AccountMention(role, found)
        if mention in self.accounts:
            return
        self.accounts[mention] = None
        thing = Thing(keys.user("linear", found.source_id), found.username or found.name)
        self.mentions.append(Mention(thing, role))
        if refer:
            label = None if role == "assignee" else role
            self.references.append(Reference("assignee", shown(found), label=label))

    def add_team(self, identity: str | None, team: Mapping[str, Any]) -> None:
        if identity is not None:
            key, name = name_of(team, "key"), name_of(team, "name")
            self.refer("team", Thing(keys.linear_team(identity), name), key or identity, name)

    def add_project(self, data: Mapping[str, Any]) -> None:
        """The project that the entity belongs to."""
        identity, project = linked_id(data, "project"), child(data, "project")
        if identity is not None:
            key, address = keys.linear_project(identity), url(project, "url")
            thing = Thing(key, name_of(project, "name"), address, page_names(address))
            self.references.append(Reference("project", thing.name or identity, thing.url))
            self.relate("belongs_to", thing, "project")

    def add_initiative(self, initiative: Mapping[str, Any], fallback_id: str | None = None) -> None:
        """An initiative that the entity is a part of."""
        identity = name_of(initiative, "id") or fallback_id
        if identity is not None:
            key = keys.linear_initiative(identity)
            thing = Thing(key, name_of(initiative, "name"), url(initiative, "url"))
            self.references.append(Reference("initiative", thing.name or identity, thing.url))
            self.relate("belongs_to", thing, "initiative")

    def add_cycle(self, data: Mapping[str, Any]) -> None:
        identity, cycle = linked_id(data, "cycle"), child(data, "cycle")
        if identity is not None:
            thing = Thing(keys.linear_cycle(identity), cycle_name(cycle))
            self.references.append(Reference("cycle", thing.name or identity))
            self.relate("belongs_to", thing, "cycle")

    def add_milestone(self, data: Mapping[str, Any]) -> None:
        identity = linked_id(data, "projectMilestone")
        if identity is not None:
            name = name_of(child(data, "projectMilestone"), "name")
            self.relate("belongs_to", Thing(keys.linear_milestone(identity), name), "milestone")

    def add_labels(self, data: Mapping[str, Any]) -> list[str]:
        """The labels' names; one without an id or a name is left out."""
        names = []
        for label in children(data, "labels"):
            identity, name = name_of(label, "id"), name_of(label, "name")
            if identity is not None and name is not None:
                names.append(name)
                self.refer("label", Thing(keys.linear_label(identity), name), name)
        return names

    def add_attachment(self, attachment: Mapping[str, Any]) -> None:
        """A pull request it is tracked in, a Sentry issue or another thing it is linked to."""
        target = target_of(attachment)
        if target is not None:
            self.references.append(target.reference)
            self.relate(target.relation, target.thing)

    def add_relations(self, data: Mapping[str, Any]) -> None:
        """What blocks, duplicates or relates to what, as the API gives it with an issue."""
        for relation in children(data, "relations"):
            other = _other(relation, "relatedIssue")
            if other is not None:
                self.relate(relation_of(text(relation, "type") or ""), other)
        for relation in children(data, "inverseRelations"):
            other = _other(relation, "issue")
            kind = relation_of(text(relation, "type") or "")
            if other is not None and other.key != self.subject.key:
                self.mentions.append(Mention(other, "reference"))
                self.edges.append(Edge(other, kind, self.subject))


_ADDRESS = re.compile(r"https?://linear\.app/([\w-]{1,100})/issue/")
_RELATIONS = {"blocks": "blocks", "duplicate": "duplicates"}


def relation_of(kind: str) -> str:
    """The edge that a relation of this type makes, from the issue to the related one."""
    return _RELATIONS.get(kind, "references")


def _other(relation: Mapping[str, Any], name: str) -> Thing | None:
    identity = linked_id(relation, name)
    return None if identity is None else issue_thing(identity, child(relation, name))


def issue_thing(identity: str, issue: Mapping[str, Any], address: str | None = None) -> Thing:
    """An issue that another payload names; `address` is that of a page of the issue."""
    identifier, title = identifier_of(issue, address), text(issue, "title")
    name = cut(" ".join(part for part in (identifier, title) if part), 200) or None
    page = (address or "").partition("#")[0]
    own = url(issue, "url") or (page if "/issue/" in page else None)
    return Thing(keys.linear_issue(identity), name, own, names_of_issue((identifier,), own))


def names_of_issue(
    identifiers: Iterable[str | None], address: str | None, branch: str | None = None
) -> tuple[str, ...]:
    """What an issue answers to: its identifiers, each also as its organisation's, and its branch."""
    match = _ADDRESS.match(address or "")
    names: list[str] = []
    for identifier in dict.fromkeys(identifiers):
        if identifier:
            names.append(keys.linear_issue_by_identifier(identifier))
            if match:
                names.append(keys.linear_issue_by_address(match[1], identifier))
    if branch:
        names.append(keys.linear_issue_by_branch(branch))
    return tuple(names)


def identifier_of(issue: Mapping[str, Any], address: str | None = None) -> str | None:
    """`ENG-12`: as it says so itself, else by team and number, else from its address."""
    found = name_of(issue, "identifier")
    if found is None:
        key, number = name_of(child(issue, "team"), "key"), number_of(issue, "number")
        found = f"{key}-{number}" if key and number is not None else None
    if found is None:
        _, _, rest = (url(issue, "url") or address or "").partition("/issue/")
        found = rest.partition("/")[0].partition("#")[0]
    return found.upper() if _is_identifier(found) else None


def _is_identifier(found: str) -> bool:
    key, _, number = found.rpartition("-")
    return (
        key.isalnum()
        and key.isascii()
        and len(key) <= 20
        and number.isdecimal()
        and len(number) < 10
    )


def cycle_name(cycle: Mapping[str, Any]) -> str | None:
    number = number_of(cycle, "number")
    return name_of(cycle, "name") or (None if number is None else f"Cycle {number}")


def line(label: str, value: str | None) -> str | None:
    """A line of an observation's content; None where there is nothing to say."""
    return f"{label}: {value}" if value else None


def percent(value: Mapping[str, Any]) -> str | None:
    """`progress`, a share of one."""
    progress = number_of(value, "progress")
    return None if progress is None else f"{round(progress * 100)}%"
