"""Sweeps the ids of issues, comments and projects, to find those that were deleted.

Linear offers no log of deliveries. Trashed items are listed as such, with the time of their webhook;
items deleted for good are no longer listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, children, flag, name_of, time
from lightfast_pipelines.providers.linear.api import API, comments, issues, projects, queries
from lightfast_pipelines.providers.linear.webhooks.transitions import moment_id
from lightfast_pipelines.providers.recovery_contract import (
    EntityPage,
    EntityScope,
    IdSweep,
    KnownEntity,
    Recovery,
)

_PAGE = 100
_QUERY = """
query($after: String, $filter: %(type)s) {
  %(list)s(first: 100, after: $after, includeArchived: true, filter: $filter) {
    nodes { %(fields)s }
    pageInfo { hasNextPage endCursor }
  }
}
"""


@dataclass(frozen=True, slots=True)
class _LinearSweep:
    """An `IdSweep`. `paths` are where a filter names the team or the project."""

    kind: str
    event: str
    connection: str
    filter_type: str
    fields: str
    paths: tuple[tuple[str, ...], ...]
    of_parts: bool = False
    confirm_many: int = _PAGE

    def scope(self, place: LinkedResource) -> EntityScope:
        return EntityScope(f"linear:{self.kind}:", f"{self.kind}.", of_parts=self.of_parts)

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        return self._list(queries.within(place, *self.paths), cursor)

    def _list(self, condition: Mapping[str, Any] | None, cursor: Cursor | None) -> Call:
        query = _QUERY % {"type": self.filter_type, "list": self.connection, "fields": self.fields}
        variables = {"after": cursor and cursor["after"], "filter": condition}
        # A tenth of a point for a field and a point for an object, times the length of the page.
        return queries.call(query, variables, _PAGE * (1 + 0.1 * len(self.fields.split())) + 2)

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage:
        listed, trashed = self._nodes(answer)
        page = child(child(child(answer.data, "data"), self.connection), "pageInfo")
        more = flag(page, "hasNextPage") is True
        return EntityPage(listed, {"after": name_of(page, "endCursor")} if more else None, trashed)

    def _nodes(self, answer: Answer) -> tuple[list[str], dict[str, datetime | None]]:
        """The keys of what exists, and of what is in the trash since when."""
        connection = child(answer.data, "data").get(self.connection)
        if not isinstance(connection, dict) or not isinstance(connection.get("nodes"), list):
            raise ValueError(f"Linear's list of {self.connection} is not of its form")
        listed: list[str] = []
        trashed: dict[str, datetime | None] = {}
        for node in children(connection, "nodes"):
            key = f"linear:{self.kind}:{name_of(node, 'id')}"
            if flag(node, "trashed") is True:
                trashed[key] = time(node, "archivedAt")
            else:
                listed.append(key)
        return listed, trashed

    def resource(self, place: LinkedResource) -> Call | None:
        return API.identify(place)

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        """Linear lists nothing of a private or deleted team, without saying so."""
        data = child(answer.data, "data")
        visible = [
            child(data, "organization"),
            *children(child(data, "teams"), "nodes"),
            *children(child(data, "projects"), "nodes"),
        ]
        if any(name_of(resource, "id") == place.resource_id for resource in visible):
            return None
        return f"the credential does not see the team or project {place.resource_id}"

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        return self._list({"id": {"in": [thing.key.rpartition(":")[2] for thing in things]}}, None)

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        if answer is None:
            return {thing.key: None for thing in things}
        listed, trashed = self._nodes(answer)
        return {thing.key: trashed.get(thing.key) for thing in things if thing.key not in listed}

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        """Raises ValueError if no payload is left that shows what the thing belongs to."""
        data = deepcopy(dict(child(thing.payload, "data")))
        if not data:
            raise ValueError("no payload is left that says what it belongs to")
        moment = moment_id(at)
        kept = ((name, thing.payload.get(name)) for name in ("organizationId", "url"))
        payload = {
            "action": "remove",
            "type": self.event,
            "createdAt": moment,
            "data": {**data, "archivedAt": moment},
            **{name: value for name, value in kept if value},
        }
        return Record(self.event, payload, at, f"sweep:{thing.key}:deleted")


class LinearRecovery(Recovery):
    provider = "linear"
    sweeps: Sequence[IdSweep] = (
        _LinearSweep(
            "issue", "Issue", "issues", "IssueFilter", "id trashed archivedAt", issues.PATHS
        ),
        _LinearSweep(
            "comment", "Comment", "comments", "CommentFilter", "id", comments.PATHS, of_parts=True
        ),
        _LinearSweep(
            "project",
            "Project",
            "projects",
            "ProjectFilter",
            "id trashed archivedAt",
            projects.PATHS,
        ),
    )


RECOVERY = LinearRecovery()
