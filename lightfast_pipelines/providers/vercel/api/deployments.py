"""Walks the deployments of a project or a team, newest first, by creation time.

`records.py` turns a deployment of the list into records.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

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
from lightfast_pipelines.providers.vercel.api import estimate, records
from lightfast_pipelines.providers.vercel.api.estimate import FIRST_PAGES, MOST_REQUESTS
from lightfast_pipelines.providers.vercel.api.listing import (
    LARGEST_PAGE,
    creation_times,
    items_of,
    list_call,
    milliseconds,
    next_until,
    single_call,
    team_of,
)

# A deployment waits, builds and is checked for a while, so what ends in the window may have begun
# before it.
_LOOK_BACK = timedelta(days=1)


class DeploymentWalker:
    """A `Walker`. Its cursor is {until, least?, pending?}: `until` in milliseconds, exclusive; `least`
    is the smallest page that helps; `pending` holds the ids still to be requested one by one."""

    entity_type = "deployment"
    page_size = LARGEST_PAGE

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"until": milliseconds(window.until)}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        """Raises ValueError if the resource is neither a project nor a team."""
        pending = cursor.get("pending")
        if pending:
            return single_call(place, pending[0])
        limit = min(max(page_size, cursor.get("least", 1)), LARGEST_PAGE)
        return _page_call(place, window, cursor["until"], limit)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        """Raises ValueError if the answer has no list of deployments."""
        if cursor.get("pending"):
            return _read_single(place, cursor, answer)
        items = items_of(answer)
        page_records: list[Record] = []
        troubles: list[UnreadableItem] = []
        pending: list[str] = []
        for position, item in enumerate(items):
            deployment = records.read(place, item, team_of(place))
            if isinstance(deployment, UnreadableItem):
                item_name = deployment.item or f"item {position} of the page"
                troubles.append(UnreadableItem(item_name, deployment.reason))
                continue
            page_records += deployment.records
            if deployment.lacks_end:
                pending.append(deployment.identity)
        next_cursor = _cursor_after(window, cursor, answer, troubles)
        return Page(
            records=page_records,
            next={**(next_cursor or {"until": None}), "pending": pending}
            if pending
            else next_cursor,
            items=len(items),
            reached=min(creation_times(items), default=None),
            troubles=troubles,
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """Page after page if the first ones suggest that there are few, else samples of the rest."""
        if not answers:
            return self.call(place, window, self.start(place, window), LARGEST_PAGE)
        start, begin = milliseconds(window.until), milliseconds(window.since - _LOOK_BACK)
        first = answers[:FIRST_PAGES]
        few = len(answers) < FIRST_PAGES or estimate.rough_pages(first, begin) <= MOST_REQUESTS
        middle = answers[FIRST_PAGES] if not few and len(answers) > FIRST_PAGES else None
        if middle is not None and next_until(middle) is None:
            # Nothing is older than the middle: the deployments are close together.
            few, answers = True, [*first, *answers[FIRST_PAGES + 1 :]]
        in_order = answers if few else first
        next_cursor = _cursor_after(
            window, {"until": _until(in_order[-1], start)}, in_order[-1], []
        )
        seen, singles = estimate.count(answers), _singles(place, answers)
        if next_cursor is None:
            requests = len(in_order) + singles
            return Estimate(requests, seen, float(requests), exact=True)
        if len(answers) + (few and middle is not None) < MOST_REQUESTS:
            if few:
                return self.call(place, window, next_cursor, LARGEST_PAGE)
            sample = estimate.sample_start(begin, next_cursor["until"], len(answers) - FIRST_PAGES)
            return _page_call(place, window, sample, LARGEST_PAGE)
        more = (
            estimate.extrapolated(answers, begin)
            if few
            else estimate.integrated(answers, begin, next_cursor["until"])
        )
        items = estimate.count(in_order) + more
        requests = math.ceil(items / (LARGEST_PAGE - 1)) + round(items * singles / seen)
        return Estimate(requests, round(items), float(requests))


def _page_call(place: LinkedResource, window: Window, until: int, limit: int) -> Call:
    since = milliseconds(window.since - _LOOK_BACK)
    return list_call(place, limit=limit, since=max(since - 1, 0), until=until)


def _read_single(place: LinkedResource, cursor: Cursor, answer: Answer) -> Page:
    """Reads one deployment whose end the list did not date."""
    identity, *rest = cursor["pending"]
    end_records: Sequence[Record] = ()
    troubles: list[UnreadableItem] = []
    if answer.status >= 400:
        reason = f"it is gone (status {answer.status}): its end is not known"
        troubles.append(UnreadableItem(identity, reason))
    else:
        data = answer.data if isinstance(answer.data, dict) else {}
        deployment = records.read(place, {"uid": identity, **data}, team_of(place))
        if isinstance(deployment, UnreadableItem):
            troubles.append(deployment)
        elif deployment.lacks_end:
            reason = f"its state is {deployment.state}, but since when is not known"
            troubles.append(UnreadableItem(identity, reason))
        else:
            # The list has already yielded the record of its creation, with other fields.
            end_records = [
                record for record in deployment.records if record.event_type != "deployment.created"
            ]
    next_cursor = {name: cursor[name] for name in ("until", "least") if cursor.get(name)}
    following = {"until": None, **next_cursor, "pending": rest} if rest else next_cursor or None
    return Page(end_records, following, 0, troubles=troubles)


def _cursor_after(
    window: Window, cursor: Cursor, answer: Answer, troubles: list[UnreadableItem]
) -> dict[str, Any] | None:
    """The cursor after a page: one millisecond above its last item, as others may share that one.

    A page that lies within one millisecond is requested again, twice as long.
    """
    following = next_until(answer)
    if following is None or following < milliseconds(window.since - _LOOK_BACK):
        return None
    if following + 1 < cursor["until"]:
        return {"until": following + 1}
    items, least = len(items_of(answer)), cursor.get("least", 0)
    if least < LARGEST_PAGE:
        longer = max(items, least, 1) * 2
        return {"until": cursor["until"], "least": min(longer, LARGEST_PAGE)}
    if items >= LARGEST_PAGE:
        reason = f"more than {LARGEST_PAGE} deployments: the others are not read"
        troubles.append(UnreadableItem(f"millisecond {following}", reason))
    return {"until": following}


def _until(answer: Answer, start: int) -> int:
    """The `until` with which this page was requested, from its address."""
    match = re.search(r"[?&]until=(\d+)", answer.url)
    return int(match[1]) if match else start


def _singles(place: LinkedResource, answers: Sequence[Answer]) -> int:
    """How many of these deployments need a request of their own."""
    return sum(_lacks_end(place, item) for answer in answers for item in items_of(answer))


def _lacks_end(place: LinkedResource, item: Mapping[str, Any]) -> bool:
    deployment = records.read(place, item, None)
    return not isinstance(deployment, UnreadableItem) and deployment.lacks_end
