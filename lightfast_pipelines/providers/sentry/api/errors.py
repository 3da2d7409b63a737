"""Walks a sample of the events of each error: the newest ones of the window, and the oldest.

The webhook `error` tells of errors alone, so issues of other kinds are not asked for their events.

Every single event is too many: an issue may have millions, and they are counted by the hour anyway
(domain/occurrences.py). What is between the sample's ends is told by the issue's own count alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    LinkedResource,
    Page,
    Record,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.fields import children, whole
from lightfast_pipelines.providers.sentry.api import event_records, issue_list, links
from lightfast_pipelines.providers.sentry.api.where import asking, moment, organization_of
from lightfast_pipelines.providers.sentry.webhooks.values import count

SAMPLE = 20
"""Newest events taken of an issue; where there are more, its oldest in the window as well."""


class ErrorWalker:
    """`history.Walker`. Its cursor is that of the issues, with {oldest: true} where the newest events of
    the first pending issue are read and its oldest is to be asked for."""

    entity_type = "error"
    page_size = issue_list.MOST

    def start(self, place: LinkedResource, window: Window) -> Cursor:  # all begin alike
        return issue_list.start(place)

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        since, until = window.since, window.until
        listed = issue_list.call(place, cursor, page_size, since=since, until=until, counts=True)
        if listed is not None:
            return listed
        issue = f"/api/0/organizations/{cursor['organization']}/issues/{cursor['pending'][0]}"
        times = (("start", moment(since)), ("end", moment(until, up=True)))
        if cursor.get("oldest"):
            return asking(f"{issue}/events/oldest/", "event", *times, of_one=True)
        sample = ("per_page", str(min(SAMPLE, page_size)))
        return asking(f"{issue}/events/", "events", ("full", "true"), sample, *times, of_one=True)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        if cursor["organization"] is None or not cursor["pending"]:
            return issue_list.read(place, cursor, answer, errors_only=True)
        behind = issue_list.behind(cursor)
        number = cursor["pending"][0]
        if answer.status >= 400:
            if cursor.get("oldest"):
                return Page((), behind, 0)  # its events have reached the end of their keeping
            gone = UnreadableItem(f"issue {number}", f"it is gone (status {answer.status})")
            return Page((), behind, 1, troubles=(gone,))
        alone = bool(cursor.get("oldest"))
        if not alone and not isinstance(answer.data, list):
            raise ValueError("no list of events")
        events = [answer.data] if alone else children({"events": answer.data}, "events")
        found: list[Record] = []
        troubles: list[UnreadableItem] = []
        for event in events:
            told = event_records.read(place, cursor["organization"], number, event, answer)
            if isinstance(told, Record):
                found.append(told)
            else:
                troubles.append(told)
        if not alone and links.following(answer.headers) is not None:
            behind = {**cursor, "oldest": True}
        reached = min((one.occurred_at for one in found), default=None)
        return Page(found, behind, 0 if alone else 1, reached, troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        found = issue_list.count(
            place, answers, since=window.since, until=window.until, counts=True
        )
        if isinstance(found, Call):
            return found
        issues, exact = found
        asked = organization_of(place) is None
        listed = issue_list.issues_of(answers[1 if asked else 0])
        many = sum((count(item, "count") or whole(item, "count") or 0) > SAMPLE for item in listed)
        share = many / len(listed) if listed else 0.0
        pages = max(1, -(-issues // self.page_size))
        requests = asked + pages + issues + round(issues * share)
        return Estimate(requests, issues, float(requests), exact and issues <= len(listed))
