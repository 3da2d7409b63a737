"""What an issue and its activity say, as the webhooks that told of each: `issue` and `comment`.

Each record has what was so at its own time: how often the issue was seen by now, its priority and who
has it today are left out. Sentry dates a decision by the header of its webhook, to the second: so do we.
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
from lightfast_pipelines.providers.sentry.api.where import SENTRY, doer, installation, site
from lightfast_pipelines.providers.sentry.webhooks.seer import pull_requests_of
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_person
from lightfast_pipelines.providers.sentry.webhooks.values import identity

MOST_ACTIVITIES = 100  # Sentry tells no more of one issue, the newest
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
# type of activity -> (action, status, substatus).
_RESOLVED = ("resolved", "resolved", None)
_DECISIONS: Mapping[str, tuple[str, str, str | None]] = {
    "set_resolved": _RESOLVED,
    "set_resolved_by_age": _RESOLVED,
    "set_resolved_in_release": _RESOLVED,
    "set_resolved_in_commit": _RESOLVED,
    "set_unresolved": ("unresolved", "unresolved", "ongoing"),
    "set_regression": ("unresolved", "unresolved", "regressed"),
    "set_escalating": ("unresolved", "unresolved", "escalating"),
}
_CONDITIONS = (
    "ignoreCount",
    "ignoreDuration",
    "ignoreUntil",
    "ignoreUserCount",
    "ignoreUserWindow",
    "ignoreWindow",
)
# A fix that is proposed, or another tracker's issue: the status stays what it was.
_LINKS = frozenset(
    {"referenced_in_commit", "set_resolved_in_pull_request", "create_issue", "seer_pr_created"}
)
_OTHERS = frozenset(
    {"set_ignored", "assigned", "unassigned", "note", "set_priority", "merge", "reprocess"}
)
_BY_SEER = "a step of Seer's, which the webhook `seer` tells with the number of its run"
_BY_GITHUB = "the pull request's own events tell it"
NOT_KEPT: Mapping[str, str] = {
    "first_seen": "told by the issue itself",
    "auto_set_ongoing": "still unresolved: only no longer new",
    "mark_reviewed": "somebody looked at it",
    "set_public": "who may see it",
    "set_private": "who may see it",
    "release": "of no version of Sentry's in use",
    "deploy": "of no version of Sentry's in use",
    "new_processing_issues": "about Sentry's own processing",
    "deleted_attachment": "about a file beside an event",
    "unmerge_source": "what was taken out of it is an issue of its own",
    "unmerge_destination": "what was put into it are events, not an issue",
    "seer_rca_started": _BY_SEER,
    "seer_rca_completed": _BY_SEER,
    "seer_solution_started": _BY_SEER,
    "seer_solution_completed": _BY_SEER,
    "seer_coding_started": _BY_SEER,
    "seer_coding_completed": _BY_SEER,
    "seer_iteration_started": _BY_SEER,
    "seer_iteration_completed": _BY_SEER,
    "seer_pr_ready_for_review": _BY_GITHUB,
    "pull_request_closed": _BY_GITHUB,
    "pull_request_reopened": _BY_GITHUB,
    "pull_request_merged": _BY_GITHUB,
    "pull_request_unlinked": _BY_GITHUB,
}
"""Type of activity -> why nothing is made of it."""


def read(
    place: LinkedResource, organization: str, answer: Answer
) -> tuple[list[Record], list[UnreadableItem]]:
    """Of one issue, as it is answered by itself, with its `activity`."""
    issue = answer.data if isinstance(answer.data, dict) else {}
    number, first_seen = identity(issue, "id"), time(issue, "firstSeen")
    if number is None or first_seen is None:
        what = "id" if number is None else "firstSeen"
        return [], [
            UnreadableItem(f"issue {number or '?'}", f"`{what}` is missing or not of its form")
        ]
    if identity(child(issue, "project"), "id") is None:
        return [], [UnreadableItem(f"issue {number}", "`project.id` is missing")]
    telling = _Telling(
        place, issue, number, f"{site(place, answer)}/api/0/organizations/{organization}"
    )
    found = [telling.created(first_seen)]
    troubles: list[UnreadableItem] = []
    activities = issue.get("activity")
    if not isinstance(activities, list):
        troubles.append(UnreadableItem(f"issue {number}", "its `activity` is not told"))
        activities = []
    if len(activities) >= MOST_ACTIVITIES:
        reason = (
            f"Sentry tells the newest {MOST_ACTIVITIES} activities of an issue: older ones are lost"
        )
        troubles.append(UnreadableItem(f"issue {number}", reason))
    for activity in children(issue, "activity"):
        told = list(telling.activity(activity))
        troubles += [one for one in told if isinstance(one, UnreadableItem)]
        found += [one for one in told if isinstance(one, Record)]
    return found, troubles


def merged_into(
    place: LinkedResource, answer: Answer, gone: str, short_id: str | None, now: datetime
) -> Record | None:
    """That an issue became a part of the one that answers in its place, as of when its activity says,
    else as of now. None where the answer is no issue of a project."""
    issue = answer.data if isinstance(answer.data, dict) else {}
    survivor = identity(issue, "id")
    if survivor in (None, gone) or identity(child(issue, "project"), "id") is None:
        return None
    at, actor = now, SENTRY
    for activity in children(issue, "activity"):
        names = {identity(one, "id") for one in children(child(activity, "data"), "issues")}
        names.add(identity(child(activity, "data"), "oldGroupId"))
        told = time(activity, "dateCreated")
        if gone in names and told is not None:
            at, actor = told, doer(child(activity, "user"), child(activity, "sentry_app"))
    lasting: Json = {name: issue[name] for name in _LASTING if name in issue}
    lasting["metadata"] = without_person(child(issue, "metadata"))
    lasting["project"] = dict(child(issue, "project"))
    at = at.replace(microsecond=0)
    named = {"id": gone} | ({"shortId": short_id} if short_id else {})
    payload = merged_payload(lasting, named, installation(place), actor)
    return Record("issue", payload, at, f"sweep:issue:{gone}:merged:{survivor}", _sent(at))


class _Telling:
    """Tells the facts of one issue. `api` is the address of its organisation in the API."""

    def __init__(
        self, place: LinkedResource, issue: Mapping[str, Any], number: str, api: str
    ) -> None:
        self._envelope, self._number = installation(place), number
        self._last_seen = time(issue, "lastSeen")
        self._last_seen_told = text(issue, "lastSeen")
        project = child(issue, "project")
        self._project = {
            name: project[name] for name in ("id", "name", "slug", "platform") if name in project
        }
        self._lasting: Json = {name: issue[name] for name in _LASTING if name in issue}
        self._lasting["metadata"] = without_person(child(issue, "metadata"))
        self._lasting["project"] = self._project
        self._lasting["url"] = f"{api}/issues/{number}/"
        self._lasting["web_url"] = url(issue, "permalink") or _page(api, number)
        self._first_release = name_of(child(issue, "firstRelease"), "version")

    def created(self, first_seen: datetime) -> Record:
        release = {"firstRelease": {"version": self._first_release}} if self._first_release else {}
        now = {"status": "unresolved", "statusDetails": {}, "substatus": "new"}
        issue = {**self._lasting, **now, **release}
        payload = {"action": "created", **self._envelope, "data": {"issue": issue}, "actor": SENTRY}
        return Record("issue", payload, first_seen, f"backfill:issue:{self._number}:created")

    def activity(self, activity: Mapping[str, Any]) -> Iterator[Record | UnreadableItem]:
        kind, number = text(activity, "type") or "", identity(activity, "id")
        at = time(activity, "dateCreated")
        if kind in NOT_KEPT:
            return
        if kind not in _DECISIONS and kind not in _LINKS and kind not in _OTHERS:
            yield UnreadableItem(
                f"{kind[:100]} of issue {self._number}", "this activity is not known yet"
            )
            return
        if number is None or at is None:
            what = "id" if number is None else "dateCreated"
            yield UnreadableItem(f"{kind} of issue {self._number}", f"`{what}` is missing")
            return
        actor = doer(child(activity, "user"), child(activity, "sentry_app"))
        data = child(activity, "data")
        if kind == "note":
            yield self._comment(number, at, text(activity, "dateCreated"), data, actor)
        elif kind == "set_ignored":
            # Sentry sends both, for one decision.
            until = {name: data[name] for name in _CONDITIONS if data.get(name)}
            now: Json = {"status": "ignored", "statusDetails": until, "substatus": _archived(data)}
            for action in ("ignored", "archived"):
                yield self._decision(action, number, at, now, actor)
        elif kind in ("assigned", "unassigned"):
            owner = _assignee(data) if kind == "assigned" else None
            if kind == "assigned" and owner is None:
                yield UnreadableItem(
                    f"{kind} of issue {self._number}", "`data.assignee` is missing"
                )
                return
            yield self._decision("assigned", number, at, {"assignedTo": owner}, actor)
        elif kind == "set_priority":
            yield self._decision(
                "prioritized", number, at, {"priority": data.get("priority")}, actor
            )
        elif kind in ("merge", "reprocess"):
            yield from self._merged(number, at, data, actor)
        elif kind in _LINKS:
            for one, linked in enumerate(_linked(kind, data)):
                told = number if one == 0 else f"{number}-{one}"
                yield self._decision("linked", told, at, linked, actor)
        else:
            action, status, substatus = _DECISIONS[kind]
            now = {"status": status, "statusDetails": _details(kind, data), "substatus": substatus}
            yield self._decision(action, number, at, now, actor, seen=kind == "set_regression")

    def _decision(
        self, action: str, number: str, at: datetime, now: Json, actor: Json, *, seen: bool = False
    ) -> Record:
        """`seen`: that the issue was seen again is what decided it."""
        issue = {**self._lasting, **now}
        whole = at.replace(microsecond=0)
        occurred = whole
        if self._last_seen is not None and self._last_seen <= at:
            # Nothing was seen since: so it was last seen then, too.
            issue["lastSeen"], occurred = self._last_seen_told, max(whole, self._last_seen)
        elif seen:
            issue["lastSeen"], occurred = at.isoformat(), at
        payload = {"action": action, **self._envelope, "data": {"issue": issue}, "actor": actor}
        return Record(
            "issue",
            payload,
            occurred,
            f"backfill:activity:{number}:{action}",
            _sent(whole),
        )

    def _merged(
        self, number: str, at: datetime, data: Mapping[str, Any], actor: Json
    ) -> Iterator[Record]:
        """Of each issue that became a part of this one; a reprocessed one has got another number."""
        gone = [identity(one, "id") for one in children(data, "issues")]
        gone.append(identity(data, "oldGroupId"))
        whole = at.replace(microsecond=0)
        for old in gone:
            if old is not None and old != self._number:
                yield Record(
                    "issue",
                    merged_payload(self._lasting, {"id": old}, self._envelope, actor),
                    whole,
                    f"backfill:activity:{number}:merged:{old}",
                    _sent(whole),
                )

    def _comment(
        self, number: str, at: datetime, told: str | None, data: Mapping[str, Any], actor: Json
    ) -> Record:
        """Its project and address are not in the webhook: by them it goes where its issue goes."""
        said = {
            "comment": text(data, "text") or "",
            "project_slug": self._project.get("slug"),
            "comment_id": int(number) if number.isdigit() else number,
            "issue_id": int(self._number) if self._number.isdigit() else self._number,
            "timestamp": told,
            "project": self._project,
            "url": self._lasting["url"],
        }
        payload = {"action": "created", **self._envelope, "data": said, "actor": actor}
        return Record("comment", payload, at, f"backfill:comment:{number}:created")


def merged_payload(
    survivor: Mapping[str, Any], gone: Json, envelope: Mapping[str, Any], actor: Json
) -> Json:
    """As a webhook would tell that an issue became a part of another one, if there were one."""
    data = {"issue": dict(survivor), "merged": gone}
    return {"action": "merged", **envelope, "data": data, "actor": actor}


def _sent(at: datetime) -> dict[str, str]:
    return {"sentry-hook-resource": "issue", "sentry-hook-timestamp": str(int(at.timestamp()))}


def _linked(kind: str, data: Mapping[str, Any]) -> Iterator[Json]:
    """What the activity links with the issue; nothing where Sentry names no commit or address."""
    if kind == "create_issue":
        kept = {name: data[name] for name in ("location", "label", "title") if name in data}
        if "location" in kept:
            yield {"externalIssue": kept}
    elif kind == "seer_pr_created":
        for made in pull_requests_of(data):
            yield {"statusDetails": {"pullRequest": {"externalUrl": made.url}}}
    elif details := _details(kind, data):
        yield {"statusDetails": details}


def _page(api: str, number: str) -> str:
    base, _, organization = api.partition("/api/0/organizations/")
    return f"{base}/organizations/{organization}/issues/{number}/"


def _archived(data: Mapping[str, Any]) -> str:
    if data.get("ignoreUntilEscalating"):
        return "archived_until_escalating"
    conditional = any(data.get(name) for name in _CONDITIONS)
    return "archived_until_condition_met" if conditional else "archived_forever"


def _assignee(data: Mapping[str, Any]) -> Json | None:
    number = identity(data, "assignee")
    if number is None:
        return None
    told = {"name": name_of(data, "assigneeName"), "email": name_of(data, "assigneeEmail")}
    kind = "team" if name_of(data, "assigneeType") == "team" else "user"
    return {"type": kind, "id": number, **{k: v for k, v in told.items() if v is not None}}


def _details(kind: str, data: Mapping[str, Any]) -> Json:
    """`statusDetails` as the webhook would have had them."""
    if kind == "set_resolved_by_age":
        return {"autoResolved": True}
    found: Json = {}
    if kind == "set_resolved_in_release":
        version = name_of(data, "version")
        found = {"inRelease": version} if version else {"inNextRelease": True}
    if child(data, "commit"):
        found["inCommit"] = _commit(child(data, "commit"))
    if child(data, "pullRequest"):
        found["pullRequest"] = _pull_request(child(data, "pullRequest"))
    return found


def _commit(commit: Mapping[str, Any]) -> Json:
    kept: Json = {name: commit[name] for name in ("id", "message", "dateCreated") if name in commit}
    repository = child(commit, "repository")
    if repository:
        kept["repository"] = {
            name: repository[name] for name in ("id", "name") if name in repository
        }
    if child(commit, "pullRequest"):
        kept["pullRequest"] = _pull_request(child(commit, "pullRequest"))
    return kept


def _pull_request(pull: Mapping[str, Any]) -> Json:
    kept: Json = {name: pull[name] for name in ("id", "title", "externalUrl") if name in pull}
    repository = name_of(child(pull, "repository"), "name")
    return {**kept, "repository": {"name": repository}} if repository else kept
