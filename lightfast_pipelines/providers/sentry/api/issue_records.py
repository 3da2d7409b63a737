"""Turns an issue and its activity into the webhooks that reported each step: `issue` and `comment`.

Each record holds what was true at its own time: today's count, priority and assignee are left out.
Sentry dates a decision by the header of its webhook, in seconds, so these records do as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Json,
    LinkedResource,
    Record,
    UnreadableItem,
)
from lightfast_pipelines.providers.fields import child, children, name_of, text, time, url
from lightfast_pipelines.providers.sentry.api import activities
from lightfast_pipelines.providers.sentry.api.envelope import (
    SENTRY,
    actor_of,
    hook_headers,
    installation,
    site,
)
from lightfast_pipelines.providers.sentry.api.organization import ORGANIZATIONS
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_person
from lightfast_pipelines.providers.sentry.webhooks.values import identity

MOST_ACTIVITIES = 100  # Sentry returns only the newest ones of an issue
_LASTING = (
    "id",
    "shortId",
    "title",
    "culprit",
    "permalink",
    "logger",
    "level",
    "platform",
    "type",
    "issueType",
    "issueCategory",
    "firstSeen",
)


def read(
    place: LinkedResource, organization: str, answer: Answer
) -> tuple[list[Record], list[UnreadableItem]]:
    """An issue that was requested alone, with its `activity`."""
    issue = answer.data if isinstance(answer.data, dict) else {}
    number, first_seen = identity(issue, "id"), time(issue, "firstSeen")
    what = f"issue {number or '?'}"
    if number is None or first_seen is None:
        missing = "id" if number is None else "firstSeen"
        return [], [UnreadableItem(what, f"`{missing}` is missing or not of its form")]
    if identity(child(issue, "project"), "id") is None:
        return [], [UnreadableItem(what, "`project.id` is missing")]
    builder = _IssueRecords(place, issue, number, site(place, answer), organization)
    records = [builder.created(first_seen)]
    troubles: list[UnreadableItem] = []
    if not isinstance(issue.get("activity"), list):
        troubles.append(UnreadableItem(what, "its `activity` is missing"))
    elif len(issue["activity"]) >= MOST_ACTIVITIES:
        reason = f"Sentry returns the newest {MOST_ACTIVITIES} activities: older ones are lost"
        troubles.append(UnreadableItem(what, reason))
    for activity in children(issue, "activity"):
        for result in builder.activity(activity):
            if isinstance(result, Record):
                records.append(result)
            else:
                troubles.append(result)
    return records, troubles


def merged_into(
    place: LinkedResource, answer: Answer, gone: str, short_id: str | None, now: datetime
) -> Record | None:
    """The merge of an issue into the one that answers in its place, dated by the latter's activity,
    else by now. None if the answer is not an issue of a project."""
    issue = answer.data if isinstance(answer.data, dict) else {}
    survivor = identity(issue, "id")
    if survivor in (None, gone) or identity(child(issue, "project"), "id") is None:
        return None
    at, actor = now, SENTRY
    for activity in children(issue, "activity"):
        data, merged_at = child(activity, "data"), time(activity, "dateCreated")
        if gone in _merged_numbers(data) and merged_at is not None:
            at, actor = merged_at, actor_of(activity)
    lasting = {**_lasting(issue), "project": dict(child(issue, "project"))}
    at = at.replace(microsecond=0)
    merged_issue = {"id": gone} | ({"shortId": short_id} if short_id else {})
    payload = _merged_payload(lasting, merged_issue, installation(place), actor)
    delivery_id = f"sweep:issue:{gone}:merged:{survivor}"
    return Record("issue", payload, at, delivery_id, hook_headers("issue", at))


class _IssueRecords:
    """Builds the records of one issue."""

    def __init__(
        self,
        place: LinkedResource,
        issue: Mapping[str, Any],
        number: str,
        base: str,
        organization: str,
    ) -> None:
        self._envelope, self._number = installation(place), number
        self._last_seen, self._last_seen_text = time(issue, "lastSeen"), text(issue, "lastSeen")
        project = child(issue, "project")
        self._project = {
            name: project[name] for name in ("id", "name", "slug", "platform") if name in project
        }
        page = f"{base}/organizations/{organization}/issues/{number}/"
        self._lasting: Json = {
            **_lasting(issue),
            "project": self._project,
            "url": f"{base}{ORGANIZATIONS}{organization}/issues/{number}/",
            "web_url": url(issue, "permalink") or page,
        }
        self._first_release = name_of(child(issue, "firstRelease"), "version")

    def created(self, first_seen: datetime) -> Record:
        release = {"firstRelease": {"version": self._first_release}} if self._first_release else {}
        status = {"status": "unresolved", "statusDetails": {}, "substatus": "new"}
        issue = {**self._lasting, **status, **release}
        payload = {"action": "created", **self._envelope, "data": {"issue": issue}, "actor": SENTRY}
        return Record("issue", payload, first_seen, f"backfill:issue:{self._number}:created")

    def activity(self, activity: Mapping[str, Any]) -> Iterator[Record | UnreadableItem]:
        kind, number = text(activity, "type") or "", identity(activity, "id")
        at, data = time(activity, "dateCreated"), child(activity, "data")
        what = f"{kind[:100]} of issue {self._number}"
        if kind in activities.NOT_KEPT:
            return
        if kind not in activities.KNOWN:
            yield UnreadableItem(what, "this activity is not known yet")
        elif number is None or at is None:
            missing = "id" if number is None else "dateCreated"
            yield UnreadableItem(what, f"`{missing}` is missing")
        elif kind == "assigned" and activities.assignee(data) is None:
            yield UnreadableItem(what, "`data.assignee` is missing")
        elif kind == "note":
            yield self._comment(number, at, activity)
        elif kind in ("merge", "reprocess"):
            yield from self._merged(number, at, activity)
        else:
            for suffix, (action, changes) in enumerate(_decisions(kind, data)):
                # Sentry sends two webhooks for one archiving, which differ in their action.
                is_link = kind in activities.LINKS and suffix
                fact = f"{number}-{suffix}" if is_link else number
                is_seen = kind == "set_regression"
                yield self._decision(action, fact, at, changes, actor_of(activity), is_seen=is_seen)

    def _decision(
        self, action: str, fact: str, at: datetime, changes: Json, actor: Json, *, is_seen: bool
    ) -> Record:
        """`is_seen`: the decision was made because the issue was seen again."""
        issue = {**self._lasting, **changes}
        sent_at = occurred = at.replace(microsecond=0)
        if self._last_seen is not None and self._last_seen <= at:
            # It has not been seen since, so at that time this was already its last sighting.
            issue["lastSeen"], occurred = self._last_seen_text, max(sent_at, self._last_seen)
        elif is_seen:
            issue["lastSeen"], occurred = at.isoformat(), at
        payload = {"action": action, **self._envelope, "data": {"issue": issue}, "actor": actor}
        delivery_id = f"backfill:activity:{fact}:{action}"
        return Record("issue", payload, occurred, delivery_id, hook_headers("issue", sent_at))

    def _merged(self, number: str, at: datetime, activity: Mapping[str, Any]) -> Iterator[Record]:
        """A record for each issue that was merged into this one, or that it was reprocessed from."""
        sent_at = at.replace(microsecond=0)
        for gone in _merged_numbers(child(activity, "data")):
            if gone is not None and gone != self._number:
                yield Record(
                    "issue",
                    _merged_payload(
                        self._lasting, {"id": gone}, self._envelope, actor_of(activity)
                    ),
                    sent_at,
                    f"backfill:activity:{number}:merged:{gone}",
                    hook_headers("issue", sent_at),
                )

    def _comment(self, number: str, at: datetime, activity: Mapping[str, Any]) -> Record:
        """`project` and `url` are not in the webhook: they route it to where its issue goes."""
        data = {
            "comment": text(child(activity, "data"), "text") or "",
            "project_slug": self._project.get("slug"),
            "comment_id": int(number) if number.isdigit() else number,
            "issue_id": int(self._number) if self._number.isdigit() else self._number,
            "timestamp": text(activity, "dateCreated"),
            "project": self._project,
            "url": self._lasting["url"],
        }
        payload = {
            "action": "created",
            **self._envelope,
            "data": data,
            "actor": actor_of(activity),
        }
        return Record("comment", payload, at, f"backfill:comment:{number}:created")


def _decisions(kind: str, data: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """(action, what it changed) of each webhook that an activity stands for."""
    if kind == "set_ignored":
        for action in ("ignored", "archived"):
            yield action, activities.archived(data)
    elif kind in ("assigned", "unassigned"):
        owner = activities.assignee(data) if kind == "assigned" else None
        yield "assigned", {"assignedTo": owner}
    elif kind == "set_priority":
        yield "prioritized", {"priority": data.get("priority")}
    elif kind in activities.LINKS:
        for changes in activities.linked(kind, data):
            yield "linked", changes
    else:
        action, status, substatus = activities.DECISIONS[kind]
        details = activities.status_details(kind, data)
        yield action, {"status": status, "statusDetails": details, "substatus": substatus}


def _lasting(issue: Mapping[str, Any]) -> Json:
    """The fields of an issue that never change, without anything about the people who met it."""
    lasting: Json = {name: issue[name] for name in _LASTING if name in issue}
    lasting["metadata"] = without_person(child(issue, "metadata"))
    return lasting


def _merged_numbers(data: Mapping[str, Any]) -> list[str | None]:
    """The issues that a merge or a reprocessing made part of another one."""
    numbers = [identity(issue, "id") for issue in children(data, "issues")]
    return [*numbers, identity(data, "oldGroupId")]


def _merged_payload(
    survivor: Mapping[str, Any], gone: Json, envelope: Mapping[str, Any], actor: Json
) -> Json:
    """The webhook that would report a merge, if Sentry sent one."""
    data = {"issue": dict(survivor), "merged": gone}
    return {"action": "merged", **envelope, "data": data, "actor": actor}
