"""Walks a project's or a team's deployments, the newest first, by the time at which they were made.

What a deployment of the list tells stands in `records.py`. Vercel tells no totals, so that an
estimate counts pages where they are few and measures how dense they lie where they are many.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
from lightfast_pipelines.providers.fields import child, first_time, whole
from lightfast_pipelines.providers.vercel.api import records

_LIST = "/v7/deployments"
_MOST = 100  # of one page
# A deployment waits, is built and checked for a while: what ends in the window began before it.
_LOOK_BACK = timedelta(days=1)
_TEAM = re.compile(r"team_[A-Za-z0-9]{1,100}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_FIRST_PAGES = 3
_PROBES = 11


class DeploymentWalker:
    """`history.Walker`. Its cursor is {until, least?, pending?}: `until` in milliseconds, exclusive;
    `least` the items to ask for at least; `pending` the ids still to be asked for one by one."""

    entity_type = "deployment"
    page_size = _MOST

    def start(self, place: LinkedResource, window: Window) -> Cursor:  # all begin alike
        return {"until": _milliseconds(window.until)}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        """Raises ValueError where the place names neither a project nor a team."""
        pending = cursor.get("pending")
        if pending:
            path = f"/v13/deployments/{pending[0]}"
            return Call(path, params=_scope(place, "teamId"), of_one=True)
        limit = min(max(page_size, cursor.get("least", 1)), _MOST)
        return _page_at(place, window, cursor["until"], limit)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        """Raises ValueError where the answer has no list of deployments."""
        pending = list(cursor.get("pending") or ())
        if pending:
            return _read_single(place, cursor, pending, answer)
        items = _items(answer)
        found: list[Record] = []
        troubles: list[UnreadableItem] = []
        asked: list[str] = []
        for number, item in enumerate(items):
            read = records.read(place, item, team_of(place))
            if isinstance(read, UnreadableItem):
                troubles.append(
                    UnreadableItem(read.item or f"item {number} of the page", read.reason)
                )
                continue
            found += read.records
            asked += [read.identity] if read.untold else []
        behind = _behind(window, cursor, answer, items, troubles)
        return Page(
            records=found,
            next={**(behind or {"until": None}), "pending": asked} if asked else behind,
            items=len(items),
            reached=_oldest(items),
            troubles=troubles,
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """Page after page while the first ones show that they are few, else samples of the rest."""
        if not answers:
            return self.call(place, window, self.start(place, window), _MOST)
        start, begin = _milliseconds(window.until), _milliseconds(window.since - _LOOK_BACK)
        first = answers[:_FIRST_PAGES]
        few = len(answers) < _FIRST_PAGES or _rough_pages(first, begin) <= _PROBES
        middle = answers[_FIRST_PAGES] if not few and len(answers) > _FIRST_PAGES else None
        if middle is not None and _next(middle) is None:
            # Nothing lies before the middle: what there is lies close.
            few, answers = True, [*first, *answers[_FIRST_PAGES + 1 :]]
        in_order = answers if few else first
        behind = _behind(
            window, {"until": _until(in_order[-1], start)}, in_order[-1], _items(in_order[-1]), []
        )
        seen, singles = _count(answers), _singles(place, answers)
        if behind is None:
            requests = len(in_order) + singles
            return Estimate(requests, seen, float(requests), exact=True)
        if len(answers) + (few and middle is not None) < _PROBES:
            if few:
                return self.call(place, window, behind, _MOST)
            stratum = _stratum(begin, behind["until"], len(answers) - _FIRST_PAGES)
            return _page_at(place, window, stratum, _MOST)
        more = (
            _extrapolated(answers, begin) if few else _integrated(answers, begin, behind["until"])
        )
        items = _count(in_order) + more
        requests = math.ceil(items / (_MOST - 1)) + round(items * singles / seen)
        return Estimate(requests, round(items), float(requests))


def team_of(place: LinkedResource) -> str | None:
    """The team under which the API is asked: without it a team's deployments are not to be seen."""
    raw = child(place.account, "raw")
    known = [place.resource_id, place.installation_id, place.account_login]
    for source in (place.meta, place.account, raw):
        known += [source.get(name) for name in ("teamId", "team_id", "team", "account_id")]
        known.append(child(source, "team").get("id"))
    return next((one for one in known if isinstance(one, str) and _TEAM.fullmatch(one)), None)


def _scope(place: LinkedResource, *names: str) -> dict[str, str]:
    project = place.resource_id if not _TEAM.fullmatch(place.resource_id) else None
    found = {"projectId": project, "teamId": team_of(place)}
    return {name: value for name in names if (value := found[name]) is not None}


def _page_at(place: LinkedResource, window: Window, until: int, limit: int) -> Call:
    if not _ID.fullmatch(place.resource_id):
        raise ValueError(
            f"Vercel: {place.resource_id[:100]!r} is neither a project's id (prj_...) nor a team's "
            "(team_...): link the resource by its id"
        )
    since = _milliseconds(window.since - _LOOK_BACK)
    return Call(
        _LIST,
        params={
            **_scope(place, "projectId", "teamId"),
            "limit": str(limit),
            "since": str(max(since - 1, 0)),
            "until": str(until),
        },
    )


def _read_single(place: LinkedResource, cursor: Cursor, pending: list[str], answer: Answer) -> Page:
    """One deployment whose end the list did not date."""
    identity, rest = pending[0], pending[1:]
    found: Sequence[Record] = ()
    troubles: list[UnreadableItem] = []
    if answer.status >= 400:
        troubles.append(
            UnreadableItem(identity, f"it is gone (status {answer.status}): its end is not known")
        )
    else:
        data = answer.data if isinstance(answer.data, dict) else {}
        read = records.read(place, {"uid": identity, **data}, team_of(place))
        if isinstance(read, UnreadableItem):
            troubles.append(read)
        elif read.untold:
            troubles.append(
                UnreadableItem(identity, f"its state is {read.state}, but since when is not told")
            )
        else:
            # What began it is told by the list: two tellings of one fact would be two rows.
            found = [one for one in read.records if one.event_type != "deployment.created"]
    behind = {
        "until": cursor["until"],
        **({"least": least} if (least := cursor.get("least")) else {}),
    }
    ended = cursor["until"] is None
    following = {**behind, "pending": rest} if rest else (None if ended else behind)
    return Page(found, following, 0, troubles=troubles)


def _behind(
    window: Window,
    cursor: Cursor,
    answer: Answer,
    items: Sequence[Mapping[str, Any]],
    troubles: list[UnreadableItem],
) -> dict[str, Any] | None:
    """Where to go on: a millisecond above the page's last, which others made in it share.

    A page that is one millisecond from end to end is asked for again, twice as long.
    """
    following = _next(answer)
    if following is None or following < _milliseconds(window.since - _LOOK_BACK):
        return None
    if following + 1 < cursor["until"]:
        return {"until": following + 1}
    least = max(len(items), cursor.get("least", 1)) * 2
    if cursor.get("least", 0) < _MOST:
        return {"until": cursor["until"], "least": min(least, _MOST)}
    if len(items) >= _MOST:
        reason = f"more than {_MOST} deployments: those beyond are not told"
        troubles.append(UnreadableItem(f"millisecond {following}", reason))
    return {"until": following}


def _items(answer: Answer) -> list[Mapping[str, Any]]:
    data = answer.data if isinstance(answer.data, dict) else {}
    found = data.get("deployments")
    if not isinstance(found, list):
        raise ValueError("no list `deployments`")
    return [item if isinstance(item, dict) else {} for item in found]


def _next(answer: Answer) -> int | None:
    return whole(child(answer.data, "pagination"), "next")


def _until(answer: Answer, start: int) -> int:
    """The `until` with which this page was asked, as its address shows it."""
    match = re.search(r"[?&]until=(\d+)", answer.url)
    return int(match[1]) if match else start


def _count(answers: Sequence[Answer]) -> int:
    return sum(len(_items(answer)) for answer in answers)


def _singles(place: LinkedResource, answers: Sequence[Answer]) -> int:
    """How many of these deployments will be asked for one by one."""
    return sum(_untold(place, item) for answer in answers for item in _items(answer))


def _untold(place: LinkedResource, item: Mapping[str, Any]) -> bool:
    read = records.read(place, item, None)
    return not isinstance(read, UnreadableItem) and read.untold


def _oldest(items: Sequence[Mapping[str, Any]]) -> datetime | None:
    made = [at for item in items if (at := first_time(item, "created", "createdAt")) is not None]
    return min(made, default=None)


def _last(items: Sequence[Mapping[str, Any]], begin: int) -> int:
    oldest = _oldest(items)
    return _milliseconds(oldest) if oldest is not None else begin


def _newest(items: Sequence[Mapping[str, Any]], begin: int) -> int:
    made = [at for item in items if (at := first_time(item, "created", "createdAt")) is not None]
    return _milliseconds(max(made)) if made else begin


def _rough_pages(answers: Sequence[Answer], begin: int) -> float:
    """Pages in all, if the deployments lie everywhere as densely as on these, which follow each other."""
    oldest = _last(_items(answers[-1]), begin)
    reach = max(1, _newest(_items(answers[0]), begin) - oldest)
    return len(answers) * (1 + (oldest - begin) / reach)


def _extrapolated(answers: Sequence[Answer], begin: int) -> float:
    """Deployments behind these pages, which follow each other, if they lie as densely there."""
    return _count(answers) * (_rough_pages(answers, begin) / len(answers) - 1)


def _stratum(begin: int, end: int, number: int) -> int:
    """Where the sample `number` begins: in the middle of its part of the time, the middle part first."""
    parts = _PROBES - _FIRST_PAGES
    place = (number + parts // 2) % parts
    return round(end - (end - begin) / parts * (place + 0.5))


def _integrated(answers: Sequence[Answer], begin: int, end: int) -> float:
    """Deployments between the first pages and the begin, from how densely those of the samples lie."""
    part = (end - begin) / (_PROBES - _FIRST_PAGES)
    total = 0.0
    for number, answer in enumerate(answers[_FIRST_PAGES:]):
        following = _next(answer)
        reach = _stratum(begin, end, number) - (following if following is not None else begin)
        total += len(_items(answer)) * part / max(reach, 1)
    return total


def _milliseconds(moment: datetime) -> int:
    """The first whole millisecond that is not before the moment."""
    micros = round(
        (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)
    )
    return -(-micros // 1000)
