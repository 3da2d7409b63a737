"""Walks issues and what became of each: first seen, resolved, reopened, archived, assigned, commented.

One request an issue: the list says what it is now, its activity what happened and when.
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
from lightfast_pipelines.providers.sentry.api.where import asking, organization_of

# An issue is listed when it was seen in the time asked for, and is resolved or archived when it has
# been silent for a while. What is older than Sentry keeps is not asked for.
_LEAST_LOOK_BACK = timedelta(days=7)
_KEPT = timedelta(days=90)


class SentryIssueWalker:
    """`history.Walker`. A decision about an issue that was silent for longer than the window is long
    (a week at least) is not found: Sentry lists issues by when they were seen, not by what was done."""

    entity_type = "issue"
    page_size = issue_list.MOST

    def start(self, place: LinkedResource, window: Window) -> Cursor:  # all begin alike
        return issue_list.start(place)

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        since, until = _seen_in(window), window.until
        listed = issue_list.call(place, cursor, page_size, since=since, until=until, counts=False)
        if listed is not None:
            return listed
        path = f"/api/0/organizations/{cursor['organization']}/issues/{cursor['pending'][0]}/"
        return asking(path, "issue", ("collapse", "stats"), ("collapse", "tags"), of_one=True)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        if cursor["organization"] is None or not cursor["pending"]:
            return issue_list.read(place, cursor, answer)
        number = cursor["pending"][0]
        if answer.status >= 400:
            gone = UnreadableItem(f"issue {number}", f"it is gone (status {answer.status})")
            return Page((), issue_list.behind(cursor), 1, troubles=(gone,))
        found, troubles = issue_records.read(place, cursor["organization"], answer)
        reached = min((one.occurred_at for one in found), default=None)
        return Page(found, issue_list.behind(cursor), 1, reached, troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        found = issue_list.count(
            place, answers, since=_seen_in(window), until=window.until, counts=False
        )
        if isinstance(found, Call):
            return found
        issues, exact = found
        pages = max(1, -(-issues // self.page_size))
        requests = pages + issues + (organization_of(place) is None)
        return Estimate(requests, issues, float(requests), exact)


def _seen_in(window: Window) -> datetime:
    length = window.until - window.since
    look_back = max(_LEAST_LOOK_BACK, min(length, _KEPT - length))
    return window.since - look_back
