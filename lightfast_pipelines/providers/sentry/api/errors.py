"""Walks a sample of the events of each error: the newest ones in the window, and the oldest.

The webhook `error` reports errors alone, so issues of other kinds are not asked for their events.

Every single event would be too many: an issue may have millions, and they are counted by the hour
anyway (domain/occurrences.py). Only the issue's own count covers the events between the two ends of the
sample.
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
from lightfast_pipelines.providers.sentry.api import event_records, issue_list
from lightfast_pipelines.providers.sentry.api import link_header as links
from lightfast_pipelines.providers.sentry.api.organization import (
    ORGANIZATIONS,
    api_time,
    get,
    organization_of,
)
from lightfast_pipelines.providers.sentry.webhooks.values import count

SAMPLE = 20
"""How many of an issue's newest events are read; if it has more, its oldest in the window as well."""


class ErrorWalker:
    """A `Walker`. Its cursor is that of the list of issues, with {oldest: true} once the newest events
    of the first pending issue are read and its oldest one comes next."""

    entity_type = "error"
    page_size = issue_list.LARGEST_PAGE

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return issue_list.start(place)

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        since, until = window.since, window.until
        listing = issue_list.call(place, cursor, page_size, since=since, until=until, counts=True)
        if listing is not None:
            return listing
        events = f"{ORGANIZATIONS}{cursor['organization']}/issues/{cursor['pending'][0]}/events/"
        times = (("start", api_time(since)), ("end", api_time(until, up=True)))
        if cursor.get("oldest"):
            return get(f"{events}oldest/", "event", *times, of_one=True)
        sample = ("per_page", str(min(SAMPLE, page_size)))
        return get(events, "events", ("full", "true"), sample, *times, of_one=True)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        if cursor["organization"] is None or not cursor["pending"]:
            return issue_list.read(place, cursor, answer, errors_only=True)
        next_cursor, is_oldest = issue_list.after_first_pending(cursor), bool(cursor.get("oldest"))
        issue = cursor["pending"][0]
        if answer.status >= 400:
            if is_oldest:
                return Page((), next_cursor, 0)  # Sentry no longer keeps its events
            gone = UnreadableItem(f"issue {issue}", f"it is gone (status {answer.status})")
            return Page((), next_cursor, 1, troubles=(gone,))
        if not is_oldest and not isinstance(answer.data, list):
            raise ValueError("no list of events")
        events = [answer.data] if is_oldest else children({"events": answer.data}, "events")
        results = [
            event_records.read(place, cursor["organization"], issue, event, answer)
            for event in events
        ]
        records = [result for result in results if isinstance(result, Record)]
        troubles = [result for result in results if isinstance(result, UnreadableItem)]
        if not is_oldest and links.next_cursor(answer.headers) is not None:
            next_cursor = {**cursor, "oldest": True}
        reached = min((record.occurred_at for record in records), default=None)
        return Page(records, next_cursor, 0 if is_oldest else 1, reached, troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        counted = issue_list.count(
            place, answers, since=window.since, until=window.until, counts=True
        )
        if isinstance(counted, Call):
            return counted
        issues, exact = counted
        asks_organization = organization_of(place) is None
        listed = issue_list.issues_of(answers[1 if asks_organization else 0])
        seen = [count(issue, "count") or whole(issue, "count") or 0 for issue in listed]
        share = sum(times > SAMPLE for times in seen) / len(listed) if listed else 0.0
        pages = max(1, -(-issues // self.page_size))
        requests = asks_organization + pages + issues + round(issues * share)
        return Estimate(requests, issues, float(requests), exact and issues <= len(listed))
