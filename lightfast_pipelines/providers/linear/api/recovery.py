"""Which issues, comments and projects of a team, or of an organisation, still exist.

Linear has no log of deliveries that could be read. What is trashed is listed as such, with the time
of its webhook; what is deleted for good is listed no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, children, flag, name_of, time
from lightfast_pipelines.providers.linear.api import API, comments, projects
from lightfast_pipelines.providers.linear.api.queries import of_place
from lightfast_pipelines.providers.linear.webhooks.transitions import moment_id
from lightfast_pipelines.providers.recovery_contract import Held, IdSweep, Known, Listed, Recovery

# A request costs a tenth of a point an attribute and a point an object, times the page's length.
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
class _Listed:
    """`recovery.IdSweep`. `paths` are where a filter names the team or the project."""

    kind: str
    event: str
    connection: str
    filter: str
    fields: str
    paths: tuple[tuple[str, ...], ...]
    of_parts: bool
    confirm_many: int = _PAGE

    def held(self, place: LinkedResource) -> Held:
        return Held(f"linear:{self.kind}:", f"{self.kind}.", of_parts=self.of_parts)

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        return self._call(of_place(place, *self.paths), cursor)

    def _call(self, wanted: Mapping[str, Any] | None, cursor: Cursor | None) -> Call:
        query = _QUERY % {"type": self.filter, "list": self.connection, "fields": self.fields}
        variables = {"after": cursor and cursor["after"], "filter": wanted}
        cost = _PAGE * (1 + 0.1 * len(self.fields.split())) + 2
        body = {"query": query, "variables": variables}
        return Call("graphql", "POST", json=body, pool="complexity", cost=round(cost, 1))

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> Listed:
        found, gone = self._nodes(answer)
        page = child(child(child(answer.data, "data"), self.connection), "pageInfo")
        more = flag(page, "hasNextPage") is True
        return Listed(found, {"after": name_of(page, "endCursor")} if more else None, gone)

    def _nodes(self, answer: Answer) -> tuple[list[str], dict[str, datetime | None]]:
        listed = child(answer.data, "data").get(self.connection)
        if not isinstance(listed, dict) or not isinstance(listed.get("nodes"), list):
            raise ValueError(f"Linear's list of {self.connection} is not of its form")
        found: list[str] = []
        gone: dict[str, datetime | None] = {}
        for node in children(listed, "nodes"):
            key = f"linear:{self.kind}:{name_of(node, 'id')}"
            if flag(node, "trashed") is True:
                gone[key] = time(node, "archivedAt")
            else:
                found.append(key)
        return found, gone

    def resource(self, place: LinkedResource) -> Call | None:
        return API.identify(place)

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        """Linear lists nothing of a team that is private, or deleted, and does not say so."""
        data = child(answer.data, "data")
        seen = [child(data, "organization")]
        seen += [
            *children(child(data, "teams"), "nodes"),
            *children(child(data, "projects"), "nodes"),
        ]
        if any(name_of(one, "id") == place.resource_id for one in seen):
            return None
        return f"the credential does not see the team or project {place.resource_id}"

    def confirm(self, place: LinkedResource, things: Sequence[Known]) -> Call:
        ids = [one.key.rpartition(":")[2] for one in things]
        return self._call({"id": {"in": ids}}, None)

    def gone(
        self,
        place: LinkedResource,
        things: Sequence[Known],
        answer: Answer | None,
    ) -> Mapping[str, datetime | None]:
        if answer is None:
            return {one.key: None for one in things}
        there, gone = self._nodes(answer)
        return {one.key: gone.get(one.key) for one in things if one.key not in there}

    def record(self, place: LinkedResource, thing: Known, at: datetime) -> Record:
        """Raises ValueError where no payload of it is left that shows what it belongs to."""
        data = deepcopy(dict(child(thing.payload, "data")))
        if not data:
            raise ValueError("no payload is left that says what it belongs to")
        moment = moment_id(at)
        payload = {
            "action": "remove",
            "type": self.event,
            "createdAt": moment,
            "data": {**data, "archivedAt": moment},
            **{
                name: thing.payload[name]
                for name in ("organizationId", "url")
                if thing.payload.get(name)
            },
        }
        return Record(self.event, payload, at, f"sweep:{thing.key}:deleted")


class LinearRecovery(Recovery):
    """`recovery.Recovery`."""

    provider = "linear"
    sweeps: Sequence[IdSweep] = (
        _Listed(
            "issue",
            "Issue",
            "issues",
            "IssueFilter",
            "id trashed archivedAt",
            paths=(("team", "id"), ("project", "id")),
            of_parts=False,
        ),
        _Listed(
            "comment",
            "Comment",
            "comments",
            "CommentFilter",
            "id",
            paths=comments.PATHS,
            of_parts=True,
        ),
        _Listed(
            "project",
            "Project",
            "projects",
            "ProjectFilter",
            "id trashed archivedAt",
            paths=projects.PATHS,
            of_parts=False,
        ),
    )


RECOVERY = LinearRecovery()
