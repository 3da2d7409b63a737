"""Sentry's webhooks, as far as the story needs them (docs.sentry.io, "Webhooks")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Person, Watch, name_uuid
from lightfast_pipelines.demo.github_events import Commit, NumberedItem, stamp
from lightfast_pipelines.demo.stage import StoryEvent

_SENTRY = {"type": "application", "id": "sentry", "name": "Sentry"}


@dataclass(frozen=True, slots=True)
class StoryIssue:
    """An issue of Sentry's: what stays the same over its events. `release` is the commit that caused it."""

    watch: Watch
    short_id: str
    kind: str
    value: str
    filename: str
    function: str
    first_seen: datetime
    release: Commit
    number: int = 0
    """Differs between the issues of a day."""
    transaction: str = "/checkout"
    platform: str = "javascript"

    @property
    def id(self) -> str:
        return str(6_000_000_000 + 10_000_000 * self.number + int(self.watch.day))

    @property
    def title(self) -> str:
        return f"{self.kind}: {self.value}"

    @property
    def page(self) -> str:
        return f"https://{self.watch.organization}.sentry.io/issues/{self.id}/"

    @property
    def details(self) -> dict[str, str]:
        return {
            "type": self.kind,
            "value": self.value,
            "filename": f"app:///{self.filename}",
            "function": self.function,
        }


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A rule that counts errors, and the incident that it opens."""

    id: str
    name: str
    incident: str
    transaction: str


def issue(
    problem: StoryIssue,
    action: str,
    last_seen: datetime,
    *,
    count: int,
    at: datetime | None = None,
    by: Person | None = None,
    assignee: Person | None = None,
    resolved_by: tuple[Commit, NumberedItem] | None = None,
) -> StoryEvent:
    """`resolved_by` is the commit that resolved the issue, and its pull request."""
    details: dict[str, Any] = {}
    if resolved_by is not None:
        commit, pull = resolved_by
        details["inCommit"] = {
            "id": commit.sha,
            "message": commit.message,
            "repository": {"name": commit.place.full_name, "provider": {"id": "github"}},
            "pullRequest": {
                "id": str(pull.number),
                "title": pull.title,
                "externalUrl": pull.url("pull"),
            },
        }
    data = {
        "id": problem.id,
        "shortId": problem.short_id,
        "title": problem.title,
        "culprit": f"{problem.function}({problem.filename})",
        "permalink": problem.page,
        "web_url": problem.page,
        "level": "error",
        "status": "resolved" if action == "resolved" else "unresolved",
        "statusDetails": details,
        "substatus": None if action == "resolved" else "new" if action == "created" else "ongoing",
        "platform": problem.platform,
        "project": problem.watch.project,
        "metadata": problem.details,
        "assignedTo": {**_user(assignee), "email": assignee.work_email} if assignee else None,
        "count": str(count),
        "userCount": count,
        "firstSeen": stamp(problem.first_seen),
        "lastSeen": stamp(last_seen),
        "firstRelease": {"version": problem.release.sha},
    }
    return _event("issue", problem.watch, action, {"issue": data}, at or last_seen, by)


def error(problem: StoryIssue, at: datetime) -> StoryEvent:
    return _event("error", problem.watch, "created", {"error": _occurrence(problem, at)}, at)


def event_alert(problem: StoryIssue, rule: str, at: datetime) -> StoryEvent:
    data = {
        "event": _occurrence(problem, at),
        "triggered_rule": rule,
        "issue_alert": {"id": "91", "title": rule, "settings": []},
    }
    return _event("event_alert", problem.watch, "triggered", data, at)


def metric_alert(
    watch: Watch,
    action: str,
    rule: AlertRule,
    description: str,
    started: datetime,
    closed: datetime | None = None,
) -> StoryEvent:
    """`action`: critical, warning or resolved."""
    organization = str(5_000_000 + int(watch.day))
    incident = {
        "id": rule.incident,
        "identifier": rule.incident,
        "organization_id": organization,
        "projects": [watch.slug],
        "alert_rule": {
            "id": rule.id,
            "name": rule.name,
            "organization_id": organization,
            "aggregate": "count()",
            "query": f"event.type:error transaction:{rule.transaction}",
            "time_window": 10,
            "threshold_type": 0,
            "resolve_threshold": 5,
        },
        "date_started": stamp(started),
        "date_detected": stamp(started),
        "date_closed": stamp(closed) if closed else None,
    }
    data = {
        "metric_alert": incident,
        "description_text": description,
        "web_url": f"https://sentry.io/organizations/{watch.organization}/alerts/rules/details/{rule.id}/",
    }
    return _event("metric_alert", watch, action, data, closed or started)


def comment(problem: StoryIssue, by: Person, at: datetime, text: str) -> StoryEvent:
    data = {
        "comment_id": f"{problem.id}{at:%H%M}",
        "issue_id": problem.id,
        "project_slug": problem.watch.slug,
        "timestamp": stamp(at),
        "comment": text,
    }
    return _event("comment", problem.watch, "created", data, at, by)


def _occurrence(problem: StoryIssue, at: datetime) -> dict[str, Any]:
    organization, number = problem.watch.organization, problem.watch.project["id"]
    identity = name_uuid(f"sentry event {problem.id} {stamp(at)}").replace("-", "")
    api = f"https://sentry.io/api/0/projects/{organization}/{problem.watch.slug}"
    frame = {"filename": problem.filename, "function": problem.function, "lineno": 88}
    stack = {"frames": [{**frame, "in_app": True}]}
    exception = {"type": problem.kind, "value": problem.value, "stacktrace": stack}
    return {
        "event_id": identity,
        "project": int(number),
        "issue_id": problem.id,
        "issue_url": f"https://sentry.io/api/0/organizations/{organization}/issues/{problem.id}/",
        "url": f"{api}/events/{identity}/",
        "web_url": f"https://sentry.io/organizations/{organization}/issues/{problem.id}/events/{identity}/",
        "title": problem.title,
        "message": "",
        "culprit": f"{problem.function}({problem.filename})",
        "location": problem.filename,
        "level": "error",
        "platform": problem.platform,
        "release": problem.release.sha,
        "environment": "production",
        "datetime": stamp(at),
        "tags": [["browser", "Safari 18"], ["transaction", problem.transaction]],
        "metadata": problem.details,
        "exception": {"values": [exception]},
    }


def _user(person: Person) -> dict[str, Any]:
    return {"type": "user", "id": str(person.id - 4_000_000), "name": person.name}


def _event(
    name: str,
    watch: Watch,
    action: str,
    data: dict[str, Any],
    at: datetime,
    by: Person | None = None,
) -> StoryEvent:
    payload = {
        "action": action,
        "installation": {"uuid": watch.installation},
        "data": data,
        "actor": _user(by) if by else _SENTRY,
    }
    return StoryEvent("sentry", name, at, payload)
