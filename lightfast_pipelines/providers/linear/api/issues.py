"""Walks issues and their histories, newest entry first: each entry becomes an `Issue` webhook.
Attachments and relations come with the issue.

A page brings some history entries of each issue. An issue with more entries in the window is requested
alone, page by page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    Json,
    LinkedResource,
    Page,
    Record,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.linear.api import attached, queries
from lightfast_pipelines.providers.linear.api.counting import Costs, CountedPart, counting
from lightfast_pipelines.providers.linear.api.listing import reached
from lightfast_pipelines.providers.linear.api.queries import (
    LinearList,
    ListPart,
    changed_since,
    within,
)
from lightfast_pipelines.providers.linear.api.records import (
    BOT,
    OUTSIDER,
    PERSON,
    UNREADABLE,
    unreadable,
)
from lightfast_pipelines.providers.linear.api.rewinding import Rewinding

_ENTRIES = 15
_ENTRIES_OF_ONE = 60
_LABELS = 10

_LABEL = "id name"
_ENTRY = f"""
id createdAt actorId archived trashed updatedDescription addedLabelIds removedLabelIds
fromTitle toTitle fromPriority toPriority fromEstimate toEstimate fromDueDate toDueDate
fromStateId toStateId fromAssigneeId toAssigneeId fromProjectId toProjectId fromCycleId toCycleId
fromParentId toParentId fromTeamId toTeamId
actor {{ {PERSON} app }} botActor {{ id type }}
fromState {{ id name type }} toState {{ id name type }} fromAssignee {{ {PERSON} }}
fromDelegate {{ id name }} toDelegate {{ id name }} fromProject {{ id name }}
fromCycle {{ id number name }} fromTeam {{ id key name }}
fromProjectMilestone {{ id name }} toProjectMilestone {{ id name }}
removedLabels {{ id name }}
"""
_ITEM = f"""
id createdAt updatedAt archivedAt trashed number identifier title description priority estimate dueDate
url previousIdentifiers labelIds
creator {{ {PERSON} }} externalUserCreator {{ {OUTSIDER} }} botActor {{ {BOT} }}
assignee {{ {PERSON} }} delegate {{ id name }} state {{ id name type }} team {{ id key name }}
project {{ id name }} cycle {{ id number name }} parent {{ id }} projectMilestone {{ id name }}
"""
_SELECTION = f"""{_ITEM}
labels(first: {_LABELS}) {{ nodes {{ {_LABEL} }} }} {attached.SELECTION}
history(first: $entries, after: $before, orderBy: createdAt) {{
  nodes {{ {_ENTRY} }} pageInfo {{ hasNextPage endCursor }}
}}
"""
_DATES = f"""createdAt history(first: {_ENTRIES}, orderBy: createdAt) {{
  nodes {{ createdAt }} pageInfo {{ hasNextPage }}
}}"""
PATHS = (("team", "id"), ("project", "id"))
"""Where a filter of issues names the team or the project."""
_LIST = LinearList(
    "issues",
    "IssueFilter",
    lambda place, window: (
        within(place, *PATHS),
        changed_since(window, "updatedAt", "archivedAt"),
    ),
)


def _points(entries: int) -> float:
    return queries.points(_ITEM, (_LABELS, _LABEL), (entries, _ENTRY), *attached.LISTS)


@dataclass(frozen=True, slots=True)
class LinearIssueWalker:
    """A `Walker`.

    Its cursor: `after` is where the list continues (null at its beginning), `ends` says that it does
    not, `deep` holds the issues still to be requested alone, `before` and `then` say how far the first
    of them has been read.
    """

    entity_type: str = "issue"
    page_size: int = 20

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"after": None}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        variables: Json
        if cursor.get("deep"):
            entries = min(_ENTRIES_OF_ONE, 4 * page_size)
            only_issue: Json = {"id": {"in": cursor["deep"][:1]}}
            variables = {"first": 1, "filter": only_issue, "before": cursor.get("before")}
        else:
            entries = _ENTRIES
            variables = {
                "first": page_size,
                "after": cursor.get("after"),
                "filter": _LIST.filter(place, window),
            }
        variables["entries"] = entries
        query = _LIST.query(_SELECTION, ", $entries: Int!, $before: String")
        return queries.call(query, variables, variables["first"] * _points(entries))

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        page, reading = _LIST.page(answer), _Reading(queries.organization_of(answer), window)
        if cursor.get("deep"):
            following = reading.one_issue(page["nodes"], cursor)
            # The issue was already counted when the list named it.
            return Page(reading.records, following, 0, None, reading.troubles)
        deep: list[str] = []
        for issue in page["nodes"]:
            try:
                if reading.continues(issue["history"]):
                    deep.append(issue["id"])
                else:
                    reading.whole_issue(issue)
            except UNREADABLE as error:
                reading.troubles.append(unreadable("issue", issue, error))
        following = {**(queries.next_cursor(page) or {"ends": True})}
        if deep:
            following["deep"] = deep
        return Page(
            reading.records,
            None if following == {"ends": True} else following,
            len(page["nodes"]),
            reached(page["nodes"]),
            reading.troubles,
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        def count_call(part: ListPart) -> Call:
            cost = queries.points("createdAt", (_ENTRIES, "createdAt"))
            return _LIST.count_call(place, window, part, _DATES, cost)

        def needs_request(issue: Json) -> bool:
            return _continues(issue["history"], window.since)

        parts = [CountedPart.of(_LIST.page(answer), needs_request) for answer in answers]
        costs = Costs(self.page_size, _points(_ENTRIES), _points(_ENTRIES_OF_ONE))
        return counting(count_call, parts, costs, window)


class _Reading:
    """Collects the records of an answer's issues; nothing older than the window is needed."""

    def __init__(self, organization: str, window: Window) -> None:
        self._organization, self._since = organization, window.since
        self.records: list[Record] = []
        self.troubles: list[UnreadableItem] = []

    def continues(self, history: Json) -> bool:
        return _continues(history, self._since)

    def whole_issue(self, issue: Json) -> None:
        """An issue whose history is complete. Raises one of UNREADABLE."""
        rewinding = Rewinding.of(issue, self._organization)
        self._entries(rewinding, issue["history"]["nodes"], is_first_page=True)
        self._attached(issue)
        self._created(rewinding)

    def one_issue(self, issues: Sequence[Any], cursor: Cursor) -> Json | None:
        """A page of one issue's history, and the cursor after it. A deleted issue has none."""
        following: Json = {name: cursor[name] for name in ("after", "ends") if name in cursor}
        rest = list(cursor["deep"][1:])
        for issue in issues[:1]:
            try:
                history, then = issue["history"], cursor.get("then")
                rewinding = Rewinding(**then) if then else Rewinding.of(issue, self._organization)
                self._entries(rewinding, history["nodes"], is_first_page=not then)
                if not then:
                    self._attached(issue)
                if self.continues(history):
                    following["before"] = history["pageInfo"]["endCursor"]
                    following["then"] = rewinding.to_json()
                    rest = list(cursor["deep"])
                else:
                    self._created(rewinding)
            except UNREADABLE as error:
                self.troubles.append(unreadable("issue", issue, error))
        if rest:
            following["deep"] = rest
        return None if not rest and following.get("ends") else following

    def _entries(
        self, rewinding: Rewinding, entries: Sequence[Any], *, is_first_page: bool
    ) -> None:
        has_end = any(entry.get("archived") or entry.get("trashed") for entry in entries)
        if is_first_page and not has_end:
            self.records += rewinding.end_without_entry()
        for entry in entries:
            try:
                at = time(entry, "createdAt")
                if at is not None and at < self._since:
                    break
                self.records += rewinding.back(entry)
            except UNREADABLE as error:
                what = f"issue {rewinding.data['id']} history"
                self.troubles.append(unreadable(what, entry, error))

    def _attached(self, issue: Json) -> None:
        for item in list(attached.records_of(issue, self._organization)):  # all or nothing
            if isinstance(item, UnreadableItem):
                self.troubles.append(item)
            elif item.occurred_at >= self._since:
                self.records.append(item)

    def _created(self, rewinding: Rewinding) -> None:
        created = rewinding.created()
        if created.occurred_at >= self._since:
            self.records.append(created)


def _continues(history: Json, since: datetime) -> bool:
    """Whether an older entry may be in the window."""
    if not history["pageInfo"]["hasNextPage"]:
        return False
    oldest = time(history["nodes"][-1], "createdAt") if history["nodes"] else None
    return oldest is None or oldest >= since
