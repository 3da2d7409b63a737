"""Walks issues and what happened to them: first seen, resolved, reopened, archived, assigned, commented.

One request for each issue: the list gives its current state, its activity says what happened and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    LinkedResource,
    Page,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.sentry.api import issue_list, issue_records
from lightfast_pipelines.providers.sentry.api.organization import (
    ORGANIZATIONS,
    get,
    organization_of,
)

# The list selects issues by when they were seen, while an issue is resolved or archived after a silence.
# Sentry keeps nothing older than 90 days.
_LEAST_LOOK_BACK = timedelta(days=7)
_KEPT = timedelta(days=90)


class SentryIssueWalker:
    """A `Walker`. It misses a decision about an issue that was silent for longer than the window is
    long (a week at least): Sentry lists issues by when they were seen, not by when they changed."""

    entity_type = "issue"
    page_size = issue_list.LARGEST_PAGE

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return issue_list.start(place)

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        since, until = _seen_since(window), window.until
        listing = issue_list.call(place, cursor, page_size, since=since, until=until, counts=False)
        if listing is not None:
            return listing
        path = f"{ORGANIZATIONS}{cursor['organization']}/issues/{cursor['pending'][0]}/"
        return get(path, "issue", ("collapse", "stats"), ("collapse", "tags"), of_one=True)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        if cursor["organization"] is None or not cursor["pending"]:
            return issue_list.read(place, cursor, answer)
        if answer.status >= 400:
            reason = f"it is gone (status {answer.status})"
            gone = UnreadableItem(f"issue {cursor['pending'][0]}", reason)
            return Page((), issue_list.after_first_pending(cursor), 1, troubles=(gone,))
        records, troubles = issue_records.read(place, cursor["organization"], answer)
        reached = min((record.occurred_at for record in records), default=None)
        return Page(records, issue_list.after_first_pending(cursor), 1, reached, troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        counted = issue_list.count(
            place, answers, since=_seen_since(window), until=window.until, counts=False
        )
        if isinstance(counted, Call):
            return counted
        issues, exact = counted
        pages = max(1, -(-issues // self.page_size))
        requests = pages + issues + (organization_of(place) is None)
        return Estimate(requests, issues, float(requests), exact)


def _seen_since(window: Window) -> datetime:
    length = window.until - window.since
    return window.since - max(_LEAST_LOOK_BACK, min(length, _KEPT - length))
