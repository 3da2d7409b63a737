"""Adds what Linear's payloads have in common: people, teams, projects, cycles, labels, attachments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Account, Thing
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, children, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import shown
from lightfast_pipelines.providers.linear.webhooks.attachment_targets import target_of
from lightfast_pipelines.providers.linear.webhooks.event import linked_id
from lightfast_pipelines.providers.linear.webhooks.things import (
    cycle_name,
    issue_thing,
    relation_of,
)
from lightfast_pipelines.providers.statement_builder import StatementBuilder


class LinearStatementBuilder(StatementBuilder):
    """Builds a statement about an entity of Linear."""

    def __init__(self, subject: Thing) -> None:
        super().__init__("linear", subject)

    def add_person(self, role: str, person: Account | None, *, is_referred: bool = True) -> None:
        """A user in a role; assignees, leads and owners are all shown as assignees."""
        if person is not None and self.add_user(role, person) and is_referred:
            self.refer("assignee", shown(person), label=None if role == "assignee" else role)

    def add_team(self, identity: str | None, team: Mapping[str, Any]) -> None:
        if identity is not None:
            key, name = name_of(team, "key"), name_of(team, "name")
            self.refer_to("team", Thing(linear_keys.team(identity), name), key or identity, name)

    def add_project(self, data: Mapping[str, Any]) -> None:
        """The project that the entity belongs to."""
        identity, project = linked_id(data, "project"), child(data, "project")
        if identity is not None:
            key, address = linear_keys.project(identity), url(project, "url")
            thing = Thing(key, name_of(project, "name"), address, page_names(address))
            self.refer("project", thing.name or identity, thing.url)
            self.relate("belongs_to", thing, "project")

    def add_initiative(self, initiative: Mapping[str, Any], fallback_id: str | None = None) -> None:
        """An initiative that the entity is a part of."""
        identity = name_of(initiative, "id") or fallback_id
        if identity is not None:
            key = linear_keys.initiative(identity)
            thing = Thing(key, name_of(initiative, "name"), url(initiative, "url"))
            self.refer("initiative", thing.name or identity, thing.url)
            self.relate("belongs_to", thing, "initiative")

    def add_cycle(self, data: Mapping[str, Any]) -> None:
        identity, cycle = linked_id(data, "cycle"), child(data, "cycle")
        if identity is not None:
            thing = Thing(linear_keys.cycle(identity), cycle_name(cycle))
            self.refer("cycle", thing.name or identity)
            self.relate("belongs_to", thing, "cycle")

    def add_milestone(self, data: Mapping[str, Any]) -> None:
        identity = linked_id(data, "projectMilestone")
        if identity is not None:
            name = name_of(child(data, "projectMilestone"), "name")
            self.relate("belongs_to", Thing(linear_keys.milestone(identity), name), "milestone")

    def add_labels(self, data: Mapping[str, Any]) -> list[str]:
        """The labels' names; one without an id or a name is left out."""
        names = []
        for label in children(data, "labels"):
            identity, name = name_of(label, "id"), name_of(label, "name")
            if identity is not None and name is not None:
                names.append(name)
                self.refer_to("label", Thing(linear_keys.label(identity), name), name)
        return names

    def add_attachment(self, attachment: Mapping[str, Any]) -> None:
        """A pull request that tracks it, a Sentry issue, or another thing that it links to."""
        target = target_of(attachment)
        if target is not None:
            self.references.append(target.reference)
            self.relate(target.relation, target.thing)

    def add_relations(self, data: Mapping[str, Any]) -> None:
        """The issues that an issue blocks, duplicates or relates to, as the API gives them with it."""
        for relation in children(data, "relations"):
            other_id = linked_id(relation, "relatedIssue")
            if other_id is not None:
                related = issue_thing(other_id, child(relation, "relatedIssue"))
                self.relate(relation_of(text(relation, "type") or ""), related)
        for relation in children(data, "inverseRelations"):
            other_id = linked_id(relation, "issue")
            if other_id is not None:
                related = issue_thing(other_id, child(relation, "issue"))
                self.relate_from(related, relation_of(text(relation, "type") or ""))
