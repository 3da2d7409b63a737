"""Bodies of Sentry's webhooks, as far as the story needs them (docs.sentry.io, "Webhooks")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Person, Watch, name_uuid
from lightfast_pipelines.demo.payloads import Commit, Numbered

_SENTRY = {"type": "application", "id": "sentry", "name": "Sentry"}


@dataclass(frozen=True, slots=True)
class StoryIssue:
    """An issue of Sentry's: what stays the same over its events. `release` is the commit it came with."""

    watch: Watch
    short_id: str
    kind: str
    value: str
    filename: str
    function: str
    first_seen: datetime
    release: Commit

    @property
    def id(self) -> str:
        return str(6_000_000_000 + int(self.watch.day))

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


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def issue(
    trouble: StoryIssue,
    action: str,
    last_seen: datetime,
    *,
    count: int,
    by: Person | None = None,
    assignee: Person | None = None,
    resolved_by: tuple[Commit, Numbered] | None = None,
) -> dict[str, Any]:
    """`resolved_by`: the commit that resolved it, and the pull request that brought it."""
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
    found = {
        "id": trouble.id,
        "shortId": trouble.short_id,
        "title": trouble.title,
        "culprit": f"{trouble.function}({trouble.filename})",
        "permalink": trouble.page,
        "web_url": trouble.page,
        "level": "error",
        "status": "resolved" if action == "resolved" else "unresolved",
        "statusDetails": details,
        "substatus": None if action == "resolved" else "new" if action == "created" else "ongoing",
        "platform": "javascript",
        "project": trouble.watch.project,
        "metadata": trouble.details,
        "assignedTo": _assigned(assignee) if assignee else None,
        "count": str(count),
        "userCount": count,
        "firstSeen": stamp(trouble.first_seen),
        "lastSeen": stamp(last_seen),
        "firstRelease": {"version": trouble.release.sha},
    }
    return _envelope(trouble.watch, action, {"issue": found}, by)


def error(trouble: StoryIssue, at: datetime) -> dict[str, Any]:
    return _envelope(trouble.watch, "created", {"error": _event(trouble, at)})


def event_alert(trouble: StoryIssue, rule: str, at: datetime) -> dict[str, Any]:
    data = {
        "event": _event(trouble, at),
        "triggered_rule": rule,
        "issue_alert": {"id": "91", "title": rule, "settings": []},
    }
    return _envelope(trouble.watch, "triggered", data)


def metric_alert(
    watch: Watch, action: str, rule: str, said: str, started: datetime, closed: datetime | None
) -> dict[str, Any]:
    """`action`: critical, warning or resolved."""
    organization = str(5_000_000 + int(watch.day))
    incident = {
        "id": "118",
        "identifier": "118",
        "organization_id": organization,
        "projects": [watch.slug],
        "alert_rule": {
            "id": "17",
            "name": rule,
            "organization_id": organization,
            "aggregate": "count()",
            "query": "event.type:error transaction:/checkout",
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
        "description_text": said,
        "web_url": f"https://sentry.io/organizations/{watch.organization}/alerts/rules/details/17/",
    }
    return _envelope(watch, action, data)


def comment(trouble: StoryIssue, by: Person, at: datetime, text: str) -> dict[str, Any]:
    data = {
        "comment_id": f"{trouble.id}{at:%H%M}",
        "issue_id": trouble.id,
        "project_slug": trouble.watch.slug,
        "timestamp": stamp(at),
        "comment": text,
    }
    return _envelope(trouble.watch, "created", data, by)


def _event(trouble: StoryIssue, at: datetime) -> dict[str, Any]:
    organization, number = trouble.watch.organization, trouble.watch.project["id"]
    identity = name_uuid(f"sentry event {trouble.id} {stamp(at)}").replace("-", "")
    api = f"https://sentry.io/api/0/projects/{organization}/{trouble.watch.slug}"
    frame = {"filename": trouble.filename, "function": trouble.function, "lineno": 88}
    return {
        "event_id": identity,
        "project": int(number),
        "issue_id": trouble.id,
        "issue_url": f"https://sentry.io/api/0/organizations/{organization}/issues/{trouble.id}/",
        "url": f"{api}/events/{identity}/",
        "web_url": f"https://sentry.io/organizations/{organization}/issues/{trouble.id}/events/{identity}/",
        "title": trouble.title,
        "message": "",
        "culprit": f"{trouble.function}({trouble.filename})",
        "location": trouble.filename,
        "level": "error",
        "platform": "javascript",
        "release": trouble.release.sha,
        "environment": "production",
        "datetime": stamp(at),
        "tags": [["browser", "Safari 18"], ["transaction", "/checkout"]],
        "metadata": trouble.details,
        "exception": {
            "values": [
                {
                    "type": trouble.kind,
                    "value": trouble.value,
                    "stacktrace": {"frames": [{**frame, "in_app": True}]},
                }
            ]
        },
    }


def _assigned(person: Person) -> dict[str, Any]:
    return {"type": "user", **_user(person), "email": person.work_email}


def _user(person: Person) -> dict[str, Any]:
    return {"id": str(person.id - 4_000_000), "name": person.name}


def _envelope(
    watch: Watch, action: str, data: dict[str, Any], by: Person | None = None
) -> dict[str, Any]:
    actor = {"type": "user", **_user(by)} if by else _SENTRY
    return {
        "action": action,
        "installation": {"uuid": watch.installation},
        "data": data,
        "actor": actor,
    }
