"""What Sentry writes about a `World`: the bodies of its API, and the webhooks that reported the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.servers.sentry_world import UUID, Activity, Incident, Issue, Json, World, iso

SENTRY: Json = {"type": "application", "id": "sentry", "name": "Sentry"}
_STATUSES = {"open": 1, "resolved": 2, "warning": 10, "critical": 20}


def webhooks(world: World, delay: float = 0.0) -> Iterator[tuple[str, Json, dict[str, str]]]:
    """(resource, body, headers) of each delivery, sent `delay` seconds after what it reports."""
    late = timedelta(seconds=delay)
    for issue in world.issues:
        yield _sent(
            "issue",
            "created",
            {"issue": _issue_then(world, issue, issue.seen[0])},
            SENTRY,
            issue.seen[0] + late,
        )
        for number, at in enumerate(issue.seen if issue.category == "error" else []):
            yield _sent(
                "error", "created", {"error": error_body(world, issue, number)}, SENTRY, at + late
            )
        for activity in issue.activities:
            for action, data in _actions(world, issue, activity):
                actor = _actor(activity.by)
                resource = "comment" if activity.type == "note" else "issue"
                yield _sent(resource, action, data, actor, activity.at + late)
    for incident in world.incidents:
        for level, at in incident.levels:
            alert = _snaked(incident_body(world, incident, at)) | {"activities": None}
            page = f"https://sentry.io/organizations/{world.organization}/alerts/{incident.number}/"
            data = {"metric_alert": alert, "web_url": page, "description_text": "40 events"}
            yield _sent("metric_alert", level, data, SENTRY, at + late)


def _sent(
    resource: str, action: str, data: Json, actor: Json, at: datetime
) -> tuple[str, Json, dict[str, str]]:
    headers = {
        "sentry-hook-resource": resource,
        "sentry-hook-timestamp": str(int(at.timestamp())),
    }
    body = {"action": action, "installation": {"uuid": UUID}, "data": data, "actor": actor}
    return resource, body, headers


def _actions(world: World, issue: Issue, activity: Activity) -> Iterator[tuple[str, Json]]:
    """The actions and bodies of an activity; none where Sentry sends no webhook."""
    data, at = activity.data, activity.at
    if activity.type == "note":
        yield (
            "created",
            {
                "comment": data["text"],
                "project_slug": world.slug,
                "comment_id": activity.number,
                "issue_id": issue.number,
                "timestamp": iso(at),
            },
        )
        return
    now: Json = {}
    if activity.type == "assigned":
        now["assignedTo"] = {
            "type": data["assigneeType"],
            "id": data["assignee"],
            "name": data["assigneeName"],
        }
        yield "assigned", {"issue": _issue_then(world, issue, at) | now}
    elif activity.type == "set_ignored":
        for action in ("ignored", "archived"):
            yield action, {"issue": _issue_then(world, issue, at) | {"status": "ignored"}}
    elif activity.type in ("set_unresolved", "set_regression"):
        substatus = "regressed" if activity.type == "set_regression" else "ongoing"
        yield "unresolved", {"issue": _issue_then(world, issue, at) | {"substatus": substatus}}
    elif activity.type.startswith("set_resolved"):
        if activity.type == "set_resolved_in_release":
            now["statusDetails"] = {"inRelease": data["version"]}
        elif activity.type == "set_resolved_in_commit":
            now["statusDetails"] = {"inCommit": data["commit"]}
        yield (
            "resolved",
            {
                "issue": _issue_then(world, issue, at)
                | {"status": "resolved", "substatus": None}
                | now
            },
        )


def _issue_then(world: World, issue: Issue, at: datetime) -> Json:
    """An issue as a webhook showed it then."""
    found = issue_body(world, issue, single=False)
    api = f"https://sentry.io/api/0/organizations/{world.organization}/issues/{issue.number}/"
    then = {
        "url": api,
        "web_url": found["permalink"],
        "lastSeen": iso(issue.last_seen(at)),
        "count": str(len([seen for seen in issue.seen if seen <= at])),
        "status": "unresolved",
        "statusDetails": {},
        "substatus": "new",
    }
    return found | then


def issue_body(world: World, issue: Issue, *, single: bool) -> Json:
    number = issue.number
    found: Json = {
        "id": str(number),
        "shortId": f"SHOP-{number}",
        "title": "TypeError: price is undefined",
        "culprit": "cart/total",
        "permalink": f"https://{world.organization}.sentry.io/issues/{number}/",
        "logger": None,
        "level": "error",
        "status": "resolved",
        "statusDetails": {},
        "substatus": None,
        "platform": "javascript",
        "priority": "high",
        "project": {"id": str(world.project), "name": "Shop", "slug": world.slug},
        "type": "error",
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "issueType": "error",
        "issueCategory": issue.category,
        "assignedTo": None,
        "numComments": 0,
        "count": str(len(issue.seen)),
        "userCount": 3,
        "firstSeen": iso(issue.seen[0]),
        "lastSeen": iso(issue.last_seen()),
    }
    found |= issue.called
    if single:
        first: Json = {"type": "first_seen", "id": "0", "user": None, "data": {}}
        newest = sorted(issue.activities, key=lambda activity: activity.at, reverse=True)
        activities = [_activity(activity) for activity in newest]
        found["activity"] = [*activities, {**first, "dateCreated": found["firstSeen"]}][:100]
        found["firstRelease"] = {"version": issue.release} if issue.release else None
    return found


def _activity(activity: Activity) -> Json:
    user = {
        "id": str(activity.by),
        "name": f"User {activity.by}",
        "email": f"u{activity.by}@acme.test",
    }
    return {
        "id": str(activity.number),
        "type": activity.type,
        "data": activity.data,
        "user": user if activity.by is not None else None,
        "dateCreated": iso(activity.at),
    }


def _actor(by: int | None) -> Json:
    return SENTRY if by is None else {"type": "user", "id": by, "name": f"User {by}"}


def _event_id(issue: Issue, number: int) -> str:
    return f"{issue.number:016x}{number:016x}"


def event_body(world: World, issue: Issue, number: int, *, single: bool) -> Json:
    """From the list, which dates it to the second, or requested alone."""
    at = issue.seen[number]
    frame = {"filename": "src/cart/total.ts", "function": "total", "lineNo": 9, "inApp": True}
    values = [
        {
            "type": "TypeError",
            "value": "price is undefined",
            "stacktrace": {"frames": [frame]},
        }
    ]
    tags = {"environment": issue.environment, "level": "error", "user": "ip:203.0.113.9"}
    if issue.release:
        tags["release"] = issue.release
    return {
        "id": _event_id(issue, number),
        "eventID": _event_id(issue, number),
        "groupID": str(issue.number),
        "projectID": str(world.project),
        "title": "TypeError: price is undefined",
        "message": "",
        "culprit": "cart/total",
        "location": "src/cart/total.ts",
        "platform": "javascript",
        "type": "error",
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "user": {"email": "customer@shop.test", "ip_address": "203.0.113.9"},
        "dateCreated": iso(at if single else at.replace(microsecond=0)),
        "entries": [{"type": "exception", "data": {"values": values}}],
    }


def error_body(world: World, issue: Issue, number: int) -> Json:
    """The same event in the webhook."""
    at, identity = issue.seen[number], _event_id(issue, number)
    page = f"https://sentry.io/organizations/{world.organization}/issues/{issue.number}/"
    frame = {"filename": "src/cart/total.ts", "function": "total", "lineno": 9, "in_app": True}
    return {
        "event_id": identity,
        "project": world.project,
        "issue_id": str(issue.number),
        "issue_url": f"https://sentry.io/api/0/organizations/{world.organization}/issues/{issue.number}/",
        "web_url": f"{page}events/{identity}/",
        "title": "TypeError: price is undefined",
        "message": "",
        "culprit": "cart/total",
        "location": "src/cart/total.ts",
        "level": "error",
        "platform": "javascript",
        "release": issue.release,
        "environment": issue.environment,
        "datetime": iso(at),
        "tags": [["environment", issue.environment], ["level", "error"]],
        "user": {"email": "customer@shop.test"},
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "exception": {
            "values": [
                {
                    "type": "TypeError",
                    "value": "price is undefined",
                    "stacktrace": {"frames": [frame]},
                }
            ]
        },
    }


def incident_body(world: World, incident: Incident, at: datetime | None = None) -> Json:
    """As the API has it now, or had it at `at`. Sentry dates the end to the minute."""
    levels = [(level, when) for level, when in incident.levels if at is None or when <= at]
    closed = next((when for level, when in levels if level == "resolved"), None)
    number, rule = str(incident.number), str(incident.rule)
    changed = [
        {
            "id": f"{incident.number}{position}",
            "type": 2,
            "value": str(_STATUSES[level]),
            "previousValue": None,
            "user": None,
            "dateCreated": iso(when),
        }
        for position, (level, when) in enumerate(levels)
    ]
    return {
        "id": number,
        "identifier": number,
        "organizationId": "5",
        "projects": [world.slug],
        "alertRule": {
            "id": rule,
            "name": "Failed payments",
            "organizationId": "5",
            "aggregate": "count()",
            "query": "level:error",
            "timeWindow": 10,
            "thresholdType": 0,
            "resolveThreshold": None,
            "projects": [world.slug],
        },
        "activities": [{"id": "0", "type": 1, "dateCreated": iso(incident.begun)}, *changed],
        "status": _STATUSES[levels[-1][0]] if levels else 1,
        "title": "Failed payments",
        "type": 2,
        "dateStarted": iso(incident.begun),
        "dateDetected": iso(incident.begun),
        "dateCreated": iso(incident.begun),
        "dateClosed": iso(closed.replace(second=0, microsecond=0)) if closed else None,
    }


def _snaked(value: Any) -> Any:
    """Field names as the webhook spells them: alert_rule, date_closed."""
    if isinstance(value, list):
        return [_snaked(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in name): _snaked(entry)
        for name, entry in value.items()
    }
