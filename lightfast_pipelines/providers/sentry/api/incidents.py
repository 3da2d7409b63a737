"""Walks the incidents of metric alerts and how each rose and fell: critical, warning, resolved.

Pages are numbered from the newest: an incident that begins during the walk moves the others back, so
that some are told twice, none is left out.
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
from lightfast_pipelines.providers.sentry.api import links
from lightfast_pipelines.providers.sentry.api.where import (
    SENTRY,
    asking,
    installation,
    moment,
    only_organization,
    organization_of,
    organizations_call,
    project_number,
    project_params,
    site,
)
from lightfast_pipelines.providers.sentry.webhooks.alert import closing_time
from lightfast_pipelines.providers.sentry.webhooks.values import identity

MOST_ACTIVITIES = 1_000  # Sentry tells no more of all incidents of one page
_PAGE = 32  # halves without a remainder, down to one
_STATUS_CHANGE = 2
_LEVELS = {"1": "open", "2": "resolved", "10": "warning", "20": "critical"}
_MOST_PROBES = 11
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
    """`history.Walker`. Its cursor is {organization, offset}: how many incidents are behind."""

    entity_type = "metric_alert"
    page_size = _PAGE

    def start(self, place: LinkedResource, window: Window) -> Cursor:  # all begin alike
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
        told = [
            one
            for number, incident in enumerate(answer.data)
            for one in _records(place, organization, number, incident, answer)
        ]
        found = [one for one in told if isinstance(one, Record)]
        more = links.following(answer.headers) is not None and answer.data
        offset = cursor["offset"] + len(answer.data)
        return Page(
            records=found,
            next={"organization": organization, "offset": offset} if more else None,
            items=len(answer.data),
            reached=min((one.occurred_at for one in found), default=None),
            troubles=[one for one in told if isinstance(one, UnreadableItem)],
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """Doubles the page until there is none behind it, then halves: Sentry tells no total here."""
        rest = list(answers)
        organization = organization_of(place)
        asked = organization is None
        if organization is None:
            if not rest:
                return organizations_call()
            organization = only_organization(place, rest.pop(0))
        low, high = (
            -1,
            None,
        )  # the last page known to have one behind it; the first known to have none
        page = 0
        for answer in rest:
            if links.following(answer.headers) is not None:
                low = page
            else:
                high = page
            page = low * 2 + 1 if high is None and low >= 0 else max((low + (high or 0)) // 2, 0)
        if (high is None or high - low > 1) and len(answers) < _MOST_PROBES:
            return _page(place, window, organization, page * _PAGE, _PAGE)
        pages = (high if high is not None else page) + 1
        exact = high is not None and high - low == 1
        requests = pages + asked
        return Estimate(requests, pages * _PAGE, float(requests), exact)


def too_many_activities(answer: Answer) -> bool:
    """Whether a page of several incidents has as many activities as Sentry tells at once."""
    incidents = children({"all": answer.data}, "all")
    told = sum(len(children(incident, "activities")) for incident in incidents)
    return len(incidents) > 1 and told >= MOST_ACTIVITIES


def _page(place: LinkedResource, window: Window, organization: str, offset: int, size: int) -> Call:
    # Sentry's cursor of a numbered page: its length, its number, and that it goes forward. A page of
    # another length must begin where the last one ended.
    size = math.gcd(offset, size)
    return asking(
        f"/api/0/organizations/{organization}/incidents/",
        "incidents",
        *project_params(place).items(),
        ("expand", "activities"),
        ("expand", "original_alert_rule"),
        ("start", moment(window.since)),
        ("end", moment(window.until, up=True)),
        ("per_page", str(size)),
        ("cursor", f"{size}:{offset // size}:0"),
    )


def _records(
    place: LinkedResource, organization: str, position: int, incident: Any, answer: Answer
) -> Iterator[Record | UnreadableItem]:
    given: Mapping[str, Any] = incident if isinstance(incident, dict) else {}
    number = identity(given, "id")
    if number is None:
        yield UnreadableItem(f"incident {position} of the page", "`id` is missing")
        return
    begun = first_time(given, "dateDetected", "dateStarted", "dateCreated")
    if begun is None:
        yield UnreadableItem(f"incident {number}", "no time at which it began")
        return
    closed = time(given, "dateClosed")
    activities = given.get("activities")
    if not isinstance(activities, list):
        yield UnreadableItem(
            f"incident {number}", "its `activities` are not told: its levels are not known"
        )
    elif len(activities) >= MOST_ACTIVITIES:
        yield UnreadableItem(f"incident {number}", f"it has more than {MOST_ACTIVITIES} activities")
    about = _Alert(place, organization, given, number, site(place, answer))
    resolved, levels = False, []
    for activity in children(given, "activities"):
        action = _LEVELS.get(str(activity.get("value")))
        if activity.get("type") != _STATUS_CHANGE or action is None:
            continue
        at = time(activity, "dateCreated")
        if at is None:
            yield UnreadableItem(f"incident {number}", f"`dateCreated` of its {action} is missing")
            continue
        resolved = resolved or action == "resolved"
        levels.append(at)
        yield about.record(action, at, begun, closed, identity(activity, "id"))
    if closed is not None and not resolved:
        yield about.record("resolved", latest(*levels), begun, closed, None)


class _Alert:
    """Tells the levels of one incident."""

    def __init__(
        self,
        place: LinkedResource,
        organization: str,
        incident: Mapping[str, Any],
        number: str,
        base: str,
    ) -> None:
        self._envelope, self._number = installation(place), number
        self._closed = text(incident, "dateClosed")
        rule = child(incident, "alertRule")
        self._alert: Json = {
            t: incident[o] for o, t in _ALERT.items() if incident.get(o) is not None
        }
        project = project_number(place)
        if project is not None:
            # Told by slug alone, it would not find the project that is linked by its number.
            self._alert["project"] = {"id": project}
        told: Json = {t: rule[o] for o, t in _RULE.items() if o in rule}
        # A rule that was changed since stands here as a copy under another number.
        told["id"] = identity(rule, "originalAlertRuleId") or identity(rule, "id")
        self._alert["alert_rule"] = told
        shown = name_of(incident, "identifier") or number
        self._page = f"{base}/organizations/{organization}/alerts/{shown}/"

    def record(
        self,
        action: str,
        at: datetime | None,
        begun: datetime,
        closed: datetime | None,
        activity: str | None,
    ) -> Record:
        """Each level is dated by its activity; `at` is None for an end after which no level came."""
        ends = action == "resolved" and closed is not None
        sent = at.replace(microsecond=0) if at is not None else None
        occurred = latest(begun, sent) or begun
        if ends and closed is not None:
            occurred = closing_time(closed, begun, sent)
        alert = {**self._alert, "date_closed": self._closed if ends else None}
        payload = {
            "action": action,
            **self._envelope,
            "data": {"metric_alert": alert, "web_url": self._page},
            "actor": SENTRY,
        }
        told = "resolved" if ends else f"{activity}:{action}"
        return Record(
            "metric_alert",
            payload,
            occurred,
            f"backfill:incident:{self._number}:{told}",
            {
                "sentry-hook-resource": "metric_alert",
                **({} if sent is None else {"sentry-hook-timestamp": str(int(sent.timestamp()))}),
            },
        )
