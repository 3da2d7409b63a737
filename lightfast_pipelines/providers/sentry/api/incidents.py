"""Walks the incidents of metric alerts and their levels: critical, warning, resolved.

Pages are numbered from the newest on: an incident that begins during the walk moves the others back, so
some are read twice, but none is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
from lightfast_pipelines.providers.fields import (
    child,
    children,
    first_time,
    latest,
    name_of,
    text,
    time,
)
from lightfast_pipelines.providers.sentry.api import link_header as links
from lightfast_pipelines.providers.sentry.api.envelope import (
    SENTRY,
    hook_headers,
    installation,
    site,
)
from lightfast_pipelines.providers.sentry.api.organization import (
    ORGANIZATIONS,
    api_time,
    get,
    only_organization,
    organization_of,
    organizations_call,
    project_number,
    project_params,
)
from lightfast_pipelines.providers.sentry.webhooks.alert import closing_time
from lightfast_pipelines.providers.sentry.webhooks.values import identity

MOST_ACTIVITIES = 1_000  # Sentry returns no more for all incidents of one page together
_PAGE = 32  # can be halved down to one
_STATUS_CHANGE = 2
_LEVELS = {"1": "open", "2": "resolved", "10": "warning", "20": "critical"}
_MOST_PROBES = 11
# Field of the API -> field of the webhook.
_ALERT = {
    "id": "id",
    "identifier": "identifier",
    "organizationId": "organization_id",
    "projects": "projects",
    "title": "title",
    "type": "type",
    "dateStarted": "date_started",
    "dateDetected": "date_detected",
    "dateCreated": "date_created",
}
_RULE = {
    "name": "name",
    "organizationId": "organization_id",
    "aggregate": "aggregate",
    "query": "query",
    "timeWindow": "time_window",
    "thresholdType": "threshold_type",
    "resolveThreshold": "resolve_threshold",
    "dataset": "dataset",
    "environment": "environment",
    "projects": "projects",
}


class MetricAlertWalker:
    """A `Walker`. Its cursor is {organization, offset}: how many incidents have been read."""

    entity_type = "metric_alert"
    page_size = _PAGE

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"organization": organization_of(place), "offset": 0}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        if cursor["organization"] is None:
            return organizations_call()
        return _page(place, window, cursor["organization"], cursor["offset"], page_size)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        organization = cursor["organization"]
        if organization is None:
            return Page((), {**cursor, "organization": only_organization(place, answer)}, 0)
        if not isinstance(answer.data, list):
            raise ValueError("no list of incidents")
        results = [
            result
            for position, incident in enumerate(answer.data)
            for result in _records(place, organization, position, incident, answer)
        ]
        records = [result for result in results if isinstance(result, Record)]
        more = links.next_cursor(answer.headers) is not None and answer.data
        offset = cursor["offset"] + len(answer.data)
        return Page(
            records=records,
            next={"organization": organization, "offset": offset} if more else None,
            items=len(answer.data),
            reached=min((record.occurred_at for record in records), default=None),
            troubles=[result for result in results if isinstance(result, UnreadableItem)],
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """Finds the last page by doubling, then halving: Sentry gives no total here."""
        pages_read = list(answers)
        organization = organization_of(place)
        asks_organization = organization is None
        if organization is None:
            if not pages_read:
                return organizations_call()
            organization = only_organization(place, pages_read.pop(0))
        # The last page known to have a successor, and the first known to have none.
        low, high = -1, None
        page = 0
        for answer in pages_read:
            if links.next_cursor(answer.headers) is not None:
                low = page
            else:
                high = page
            page = low * 2 + 1 if high is None and low >= 0 else max((low + (high or 0)) // 2, 0)
        if (high is None or high - low > 1) and len(answers) < _MOST_PROBES:
            return _page(place, window, organization, page * _PAGE, _PAGE)
        pages = (high if high is not None else page) + 1
        exact = high is not None and high - low == 1
        requests = pages + asks_organization
        return Estimate(requests, pages * _PAGE, float(requests), exact)


def too_many_activities(answer: Answer) -> bool:
    """Whether a page of several incidents has as many activities as Sentry returns at once."""
    incidents = children({"incidents": answer.data}, "incidents")
    activities = sum(len(children(incident, "activities")) for incident in incidents)
    return len(incidents) > 1 and activities >= MOST_ACTIVITIES


def _page(place: LinkedResource, window: Window, organization: str, offset: int, size: int) -> Call:
    # Sentry's cursor for a numbered page: its length, its number, and 0 for forward. A page of another
    # length must begin where the last one ended.
    size = math.gcd(offset, size)
    return get(
        f"{ORGANIZATIONS}{organization}/incidents/",
        "incidents",
        *project_params(place).items(),
        ("expand", "activities"),
        ("expand", "original_alert_rule"),
        ("start", api_time(window.since)),
        ("end", api_time(window.until, up=True)),
        ("per_page", str(size)),
        ("cursor", f"{size}:{offset // size}:0"),
    )


def _records(
    place: LinkedResource, organization: str, position: int, incident: Any, answer: Answer
) -> Iterator[Record | UnreadableItem]:
    item: Mapping[str, Any] = incident if isinstance(incident, dict) else {}
    number = identity(item, "id")
    if number is None:
        yield UnreadableItem(f"incident {position} of the page", "`id` is missing")
        return
    what = f"incident {number}"
    started_at = first_time(item, "dateDetected", "dateStarted", "dateCreated")
    if started_at is None:
        yield UnreadableItem(what, "no time at which it began")
        return
    activities = item.get("activities")
    if not isinstance(activities, list):
        yield UnreadableItem(what, "its `activities` are missing: its levels are not known")
    elif len(activities) >= MOST_ACTIVITIES:
        yield UnreadableItem(what, f"it has more than {MOST_ACTIVITIES} activities")
    builder = _IncidentRecords(place, organization, item, number, started_at, site(place, answer))
    is_resolved, level_times = False, []
    for activity in children(item, "activities"):
        action = _LEVELS.get(str(activity.get("value")))
        if activity.get("type") != _STATUS_CHANGE or action is None:
            continue
        at = time(activity, "dateCreated")
        if at is None:
            yield UnreadableItem(what, f"`dateCreated` of its {action} is missing")
            continue
        is_resolved = is_resolved or action == "resolved"
        level_times.append(at)
        yield builder.record(action, at, identity(activity, "id"))
    if builder.closed_at is not None and not is_resolved:
        yield builder.record("resolved", latest(*level_times), None)


class _IncidentRecords:
    """Builds a record for each level of one incident."""

    def __init__(
        self,
        place: LinkedResource,
        organization: str,
        incident: Mapping[str, Any],
        number: str,
        started_at: datetime,
        base: str,
    ) -> None:
        self._envelope, self._number = installation(place), number
        self._started_at, self.closed_at = started_at, time(incident, "dateClosed")
        self._closed_text = text(incident, "dateClosed")
        rule = child(incident, "alertRule")
        self._alert: Json = {
            name: incident[field]
            for field, name in _ALERT.items()
            if incident.get(field) is not None
        }
        project = project_number(place)
        if project is not None:
            # By its slugs alone, the alert would not find a project that is linked by its number.
            self._alert["project"] = {"id": project}
        self._alert["alert_rule"] = {
            **{name: rule[field] for field, name in _RULE.items() if field in rule},
            # If the rule was changed since, this is a copy of it under another number.
            "id": identity(rule, "originalAlertRuleId") or identity(rule, "id"),
        }
        shown = name_of(incident, "identifier") or number
        self._page = f"{base}/organizations/{organization}/alerts/{shown}/"

    def record(self, action: str, at: datetime | None, activity: str | None) -> Record:
        """A level is dated by its activity; `at` is None for an end that follows no level."""
        ends = action == "resolved" and self.closed_at is not None
        sent_at = at.replace(microsecond=0) if at is not None else None
        occurred = latest(self._started_at, sent_at) or self._started_at
        if ends and self.closed_at is not None:
            occurred = closing_time(self.closed_at, self._started_at, sent_at)
        alert = {**self._alert, "date_closed": self._closed_text if ends else None}
        payload = {
            "action": action,
            **self._envelope,
            "data": {"metric_alert": alert, "web_url": self._page},
            "actor": SENTRY,
        }
        fact = "resolved" if ends else f"{activity}:{action}"
        return Record(
            "metric_alert",
            payload,
            occurred,
            f"backfill:incident:{self._number}:{fact}",
            hook_headers("metric_alert", sent_at),
        )
