"""Walks issues and their histories, which go back from now: each entry becomes an `Issue` webhook.
What hangs on an issue comes with it.

A page brings some entries of each issue; one with more that may be in the window is asked for by
itself, and again as long as it has more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from lightfast_pipelines.providers.linear.api import queries
from lightfast_pipelines.providers.linear.api.counting import Asked, Costs, ListCount, counting
from lightfast_pipelines.providers.linear.api.hanging import (
    ATTACHMENT,
    ATTACHMENTS,
    RELATION,
    RELATIONS,
    SELECTION,
    hanging_on,
)
from lightfast_pipelines.providers.linear.api.listing import reached, trouble
from lightfast_pipelines.providers.linear.api.records import BOT, OUTSIDER, PERSON
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
labels(first: {_LABELS}) {{ nodes {{ {_LABEL} }} }} {SELECTION}
history(first: $entries, after: $before, orderBy: createdAt) {{
  nodes {{ {_ENTRY} }} pageInfo {{ hasNextPage endCursor }}
}}
"""
_DATES = f"""createdAt history(first: {_ENTRIES}, orderBy: createdAt) {{
  nodes {{ createdAt }} pageInfo {{ hasNextPage }}
}}"""


def _points(entries: int) -> float:
    hanging = ((ATTACHMENTS, ATTACHMENT), (RELATIONS, RELATION))
    return queries.points(_ITEM, (_LABELS, _LABEL), (entries, _ENTRY), *hanging)


@dataclass(frozen=True, slots=True)
class LinearIssueWalker:
    """`history.Walker`.

    Cursor: `after` is where the list goes on (null: at its beginning), `ends` says that it does not,
    `deep` are the issues still to be asked for by themselves, `before` and `then` where the first of
    them has come to.
    """

    entity_type: str = "issue"
    page_size: int = 20

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"after": None}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        variables: Json
        if cursor.get("deep"):
            entries = min(_ENTRIES_OF_ONE, 4 * page_size)
            wanted: Json = {"id": {"in": cursor["deep"][:1]}}
            variables = {"first": 1, "filter": wanted, "before": cursor.get("before")}
        else:
            entries = _ENTRIES
            variables = {
                "first": page_size,
                "after": cursor.get("after"),
                "filter": queries.filter_of(window, place, *_where(place, window)),
            }
        query = queries.page_query(
            "issues", "issues", "IssueFilter", _SELECTION, ", $entries: Int!, $before: String"
        )
        variables["entries"] = entries
        return queries.call(query, variables, variables["first"] * _points(entries))

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        found, organization = answer.data["data"]["issues"], queries.organization_of(answer)
        if cursor.get("deep"):
            return _deep(found["nodes"], organization, window, cursor)
        told: list[Record] = []
        troubles: list[UnreadableItem] = []
        deep: list[str] = []
        for issue in found["nodes"]:
            try:
                history = issue["history"]
                if _goes_on(history, window.since):
                    deep.append(issue["id"])
                    continue
                rewinding = Rewinding.of(issue, organization)
                told += _told(rewinding, history["nodes"], window, troubles, is_first=True)
                told += _hanging(issue, organization, window, troubles)
                told += _made(rewinding, window)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                troubles.append(trouble("issue", issue, error))
        info = found["pageInfo"]
        following: Json = {"after": info["endCursor"]} if info["hasNextPage"] else {"ends": True}
        if deep:
            following["deep"] = deep
        return Page(
            told,
            None if following == {"ends": True} else following,
            len(found["nodes"]),
            reached(found["nodes"]),
            tuple(troubles),
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        def ask(asked: Asked) -> Call:
            query = queries.page_query("count_issues", "issues", "IssueFilter", _DATES)
            narrowed = replace(window, until=asked.before) if asked.before else window
            variables = {
                "first": asked.first,
                "last": asked.last,
                "after": asked.after,
                "filter": queries.filter_of(narrowed, place, *_where(place, window)),
            }
            cost = queries.points("createdAt", (_ENTRIES, "createdAt"))
            return queries.call(query, variables, (asked.first or 1) * cost)

        def is_more(issue: Json) -> bool:
            return _goes_on(issue["history"], window.since)

        counted = [ListCount.of(answer.data["data"]["issues"], is_more) for answer in answers]
        costs = Costs(self.page_size, _points(_ENTRIES), _points(_ENTRIES_OF_ONE))
        return counting(ask, counted, costs, window)


def _where(place: LinkedResource, window: Window) -> tuple[Json | None, ...]:
    return (
        queries.of_place(place, ("team", "id"), ("project", "id")),
        queries.changed_since(window, "updatedAt", "archivedAt"),
    )


def _goes_on(history: Json, since: datetime) -> bool:
    """Whether an older entry may be in the window."""
    if not history["pageInfo"]["hasNextPage"]:
        return False
    oldest = time(history["nodes"][-1], "createdAt") if history["nodes"] else None
    return oldest is None or oldest >= since


def _deep(found: Sequence[Any], organization: str, window: Window, cursor: Cursor) -> Page:
    """A part of one issue's history; an issue that is gone meanwhile has none.

    Its item was counted when the list named it."""
    told: list[Record] = []
    troubles: list[UnreadableItem] = []
    following: Json = {name: cursor[name] for name in ("after", "ends") if name in cursor}
    rest = list(cursor["deep"][1:])
    for issue in found[:1]:
        try:
            history, then = issue["history"], cursor.get("then")
            rewinding = Rewinding(**then) if then else Rewinding.of(issue, organization)
            told += _told(rewinding, history["nodes"], window, troubles, is_first=not then)
            if not then:
                told += _hanging(issue, organization, window, troubles)
            if _goes_on(history, window.since):
                following["before"] = history["pageInfo"]["endCursor"]
                following["then"] = rewinding.to_json()
                rest = list(cursor["deep"])
            else:
                told += _made(rewinding, window)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            troubles.append(trouble("issue", issue, error))
    if rest:
        following["deep"] = rest
    done = not rest and following.get("ends")
    return Page(told, None if done else following, 0, None, tuple(troubles))


def _told(
    rewinding: Rewinding,
    entries: Sequence[Any],
    window: Window,
    troubles: list[UnreadableItem],
    *,
    is_first: bool,
) -> list[Record]:
    """What the entries tell, newest first; nothing behind the window's beginning is needed."""
    told: list[Record] = []
    if is_first and not any(each.get("archived") or each.get("trashed") for each in entries):
        told += rewinding.untold_end()
    for entry in entries:
        try:
            at = time(entry, "createdAt")
            if at is not None and at < window.since:
                break
            told += rewinding.back(entry)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            troubles.append(trouble(f"issue {rewinding.data['id']} history", entry, error))
    return told


def _hanging(
    issue: Json, organization: str, window: Window, troubles: list[UnreadableItem]
) -> list[Record]:
    told: list[Record] = []
    for each in hanging_on(issue, organization):
        if isinstance(each, UnreadableItem):
            troubles.append(each)
        elif each.occurred_at >= window.since:
            told.append(each)
    return told


def _made(rewinding: Rewinding, window: Window) -> list[Record]:
    made = rewinding.made()
    return [made] if made.occurred_at >= window.since else []
