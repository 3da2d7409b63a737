"""Builders of Sentry's webhook payloads: sensible defaults, and every part can be overridden.

Small and written by hand after docs.sentry.io's pages; other tests may use them as well.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.providers.sentry.webhooks.signature import sign

Json = dict[str, Any]

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
UUID = "5c6f0d3e-0d0f-4a37-9f2b-1a2b3c4d5e6f"
FIRST_SEEN = "2024-05-01T10:00:00.250000Z"
LAST_SEEN = "2024-05-01T10:30:00Z"
SENTRY: Json = {"type": "application", "id": "sentry", "name": "Sentry"}


def delivery_headers(
    resource: str, body: bytes, secret: bytes = b"secret", *, sent: datetime = NOW
) -> dict[str, str]:
    """The headers (lower case) with which Sentry would send `body`."""
    return {
        "content-type": "application/json",
        "request-id": "d1e2f3a45b6c4d8e9f0a1b2c3d4e5f60",
        "sentry-hook-resource": resource,
        "sentry-hook-timestamp": str(int(sent.timestamp())),
        "sentry-hook-signature": sign(body, secret),
    }


def encoded(payload: Json) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def person(name: str = "Ada", number: int = 7) -> Json:
    return {"type": "user", "id": number, "name": name}


def envelope(action: str, data: Json, actor: Json | None = None) -> Json:
    payload: Json = {"action": action, "installation": {"uuid": UUID}, "data": data}
    return payload if actor is None else {**payload, "actor": actor}


def issue(
    action: str = "created",
    *,
    issue_id: str = "4711",
    last_seen: str = LAST_SEEN,
    actor: Json | None = None,
    organization: str | None = "acme",
    **more: Any,
) -> Json:
    statuses = {"resolved": "resolved", "ignored": "ignored", "archived": "ignored"}
    found: Json = {
        "id": issue_id,
        "shortId": "SHOP-1A",
        "title": "TypeError: price is undefined",
        "culprit": "cart/total",
        "permalink": None,
        "level": "error",
        "status": statuses.get(action, "unresolved"),
        "statusDetails": {},
        "substatus": "new",
        "platform": "javascript",
        "project": {"id": "42", "name": "Shop", "slug": "shop"},
        "metadata": {
            "type": "TypeError",
            "value": "price is undefined",
            "filename": "app:///src/cart/total.ts",
            "function": "total",
        },
        "assignedTo": None,
        "count": "3",
        "userCount": 2,
        "firstSeen": FIRST_SEEN,
        "lastSeen": last_seen,
    }
    if organization is not None:
        found["web_url"] = f"https://{organization}.sentry.io/issues/{issue_id}/"
    return envelope(action, {"issue": {**found, **more}}, SENTRY if actor is None else actor)


def event(event_id: str = "e1", at: str = FIRST_SEEN, **more: Any) -> Json:
    return {
        "event_id": event_id,
        "project": 42,
        "issue_id": "4711",
        "issue_url": "https://sentry.io/api/0/organizations/acme/issues/4711/",
        "url": f"https://sentry.io/api/0/projects/acme/shop/events/{event_id}/",
        "web_url": f"https://sentry.io/organizations/acme/issues/4711/events/{event_id}/",
        "title": "TypeError: price is undefined",
        "message": "",
        "culprit": "cart/total",
        "location": "src/cart/total.ts",
        "level": "error",
        "platform": "javascript",
        "release": "shop@1.4.2",
        "environment": "production",
        "datetime": at,
        "tags": [["browser", "Firefox 126"], ["user", "ip:203.0.113.9"]],
        "user": {"email": "customer@shop.test", "ip_address": "203.0.113.9"},
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "exception": {
            "values": [
                {
                    "type": "TypeError",
                    "value": "price is undefined",
                    "stacktrace": {
                        "frames": [
                            {"filename": "src/cart/total.ts", "function": "total", "lineno": 9},
                        ]
                    },
                }
            ]
        },
        **more,
    }


def error(event_id: str = "e1", at: str = FIRST_SEEN, **more: Any) -> Json:
    return envelope("created", {"error": event(event_id, at, **more)}, SENTRY)


def event_alert(event_id: str = "e1", rule: str = "Checkout errors", **more: Any) -> Json:
    data = {
        "event": event(event_id, **more),
        "triggered_rule": rule,
        "issue_alert": {"id": 9, "title": rule, "settings": []},
    }
    return envelope("triggered", data, SENTRY)


def metric_alert(action: str = "critical", *, incident: str = "4", **more: Any) -> Json:
    found: Json = {
        "id": incident,
        "identifier": incident,
        "organization_id": "5",
        "projects": ["shop"],
        "alert_rule": {
            "id": "7",
            "name": "Failed payments",
            "organization_id": "5",
            "aggregate": "count()",
            "query": "level:error",
            "time_window": 10,
            "threshold_type": 0,
            "resolve_threshold": None,
        },
        "date_started": "2024-05-01T10:00:00Z",
        "date_detected": "2024-05-01T10:05:00Z",
        "date_closed": None,
        **more,
    }
    data = {
        "metric_alert": found,
        "description_text": "40 events in the last 10 minutes",
        "web_url": "https://sentry.io/organizations/acme/alerts/rules/details/7/",
    }
    return envelope(action, data, SENTRY)


def comment(action: str = "created", said: str = "Seen it before", **more: Any) -> Json:
    data = {
        "comment_id": 31,
        "issue_id": 4711,
        "project_slug": "shop",
        "timestamp": "2024-05-01T11:00:00.5Z",
        "comment": said,
        **more,
    }
    return envelope(action, data, person())


def activity_alert(**more: Any) -> Json:
    about = issue()["data"]["issue"]
    activity = {"type": "seer_root_cause_completed", "details": {"summary": "No guard in total()"}}
    alert = {"id": 9, "title": "Checkout errors", "sentry_app_id": 5}
    data = {"issue": about, "activity": activity, "alert": alert, **more}
    return envelope("triggered", data, SENTRY)


def seer(action: str = "pr_created", **more: Any) -> Json:
    made = {"pr_number": 2, "pr_url": "https://github.com/acme/shop/pull/2", "pr_id": 456}
    found: dict[str, Json] = {
        "root_cause_completed": {
            "root_cause": {
                "description": "The total is read before it is there.",
                "steps": [
                    {
                        "title": "The cart renders first.",
                        "relevant_code_file": {"file_path": "src/cart/total.ts"},
                    }
                ],
            }
        },
        "pr_created": {"pull_requests": [{"pull_request": made, "repo_name": "acme/shop"}]},
    }
    data = {"run_id": 12345, "group_id": 4711, **found.get(action, {}), **more}
    return envelope(action, data, SENTRY)


def merged(old: str = "4700", **more: Any) -> Json:
    survivor = issue(**more)["data"]["issue"]
    return envelope("merged", {"issue": survivor, "merged": {"id": old}}, person())


def installation(action: str = "created") -> Json:
    found = {
        "uuid": UUID,
        "status": "installed",
        "code": "one-time-code",
        "organization": {"slug": "acme", "id": 5},
        "app": {"uuid": "a", "slug": "lightfast"},
    }
    return envelope(action, {"installation": found}, person())
