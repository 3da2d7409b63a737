"""Lists the issues of a linked resource, newest first by first sight, then requests them one by one.

By first sight, which never changes: an issue that is seen again during the walk stays where it is. The
walkers decide what to request of each issue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Json,
    LinkedResource,
    Page,
)
from lightfast_pipelines.providers.sentry.api import link_header as links
from lightfast_pipelines.providers.sentry.api.organization import (
    api_time,
    issues_call,
    only_organization,
    organization_of,
    organizations_call,
)
from lightfast_pipelines.providers.sentry.webhooks.titles import is_error
from lightfast_pipelines.providers.sentry.webhooks.values import identity

LARGEST_PAGE = 100
_SLICES = 8


def start(place: LinkedResource) -> Cursor:
    """The cursor: `pending` holds the issues still to be requested, `after` the next page of the list,
    and `ended` says that there is none."""
    return {"organization": organization_of(place), "after": None, "pending": [], "ended": False}


def call(
    place: LinkedResource,
    cursor: Cursor,
    page_size: int,
    *,
    since: datetime,
    until: datetime,
    counts: bool,
) -> Call | None:
    """Requests the organizations or the next page of issues; None: it is a pending issue's turn."""
    if cursor["organization"] is None:
        return organizations_call()
    if cursor["pending"]:
        return None
    return _page(
        place,
        cursor["organization"],
        min(page_size, LARGEST_PAGE),
        since=since,
        until=until,
        counts=counts,
        after=cursor["after"],
    )


def _page(
    place: LinkedResource,
    organization: str,
    limit: int,
    *,
    since: datetime,
    until: datetime,
    counts: bool,
    after: str | None = None,
    query: str = "",
) -> Call:
    """Issues of any status that were seen in this time. `counts`: with how often each was seen."""
    pairs = [
        ("query", query),
        ("sort", "new"),
        ("start", api_time(since)),
        ("end", api_time(until, up=True)),
        ("limit", str(limit)),
    ]
    if after is not None:
        pairs.append(("cursor", after))
    return issues_call(place, organization, *pairs, collapse=not counts)


def read(
    place: LinkedResource, cursor: Cursor, answer: Answer, *, errors_only: bool = False
) -> Page:
    """Reads the organizations or a page of issues. Raises ValueError for another shape.

    `errors_only` leaves out issues of monitors, performance and feedback."""
    if cursor["organization"] is None:
        return Page((), {**cursor, "organization": only_organization(place, answer)}, 0)
    after = links.next_cursor(answer.headers)
    pending = [
        number
        for issue in issues_of(answer)
        if (number := identity(issue, "id")) is not None and (is_error(issue) or not errors_only)
    ]
    following = {**cursor, "after": after, "pending": pending, "ended": after is None}
    return Page((), following if pending or after is not None else None, 0)


def after_first_pending(cursor: Cursor) -> Json | None:
    """The cursor after the first pending issue."""
    rest = list(cursor["pending"][1:])
    if not rest and cursor["ended"]:
        return None
    kept = {name: cursor[name] for name in ("organization", "after", "ended")}
    return {**kept, "pending": rest}


def issues_of(answer: Answer) -> list[Mapping[str, Any]]:
    if not isinstance(answer.data, list):
        raise ValueError("no list of issues")
    return [issue for issue in answer.data if isinstance(issue, dict)]


def count(
    place: LinkedResource,
    answers: Sequence[Answer],
    *,
    since: datetime,
    until: datetime,
    counts: bool,
) -> Call | tuple[int, bool]:
    """The next request for counting the issues, or (issues, whether that is exact).

    Sentry counts to a thousand; beyond that, we count by slices of time of first sight.
    """
    organization = organization_of(place)
    pages = list(answers)
    if organization is None:
        if not pages:
            return organizations_call()
        organization = only_organization(place, pages.pop(0))
    options: dict[str, Any] = {"since": since, "until": until, "counts": counts}
    if not pages:
        return _page(place, organization, LARGEST_PAGE if counts else 1, **options)
    hits = links.hits(pages[0].headers)
    if hits is None:
        return len(issues_of(pages[0])), links.next_cursor(pages[0].headers) is None
    total, is_cut = hits
    if not is_cut:
        return total, True
    if len(pages) <= _SLICES + 1:
        query = _slice(since, until, len(pages) - 1)
        return _page(place, organization, 1, query=query, **options)
    slices = [links.hits(answer.headers) or (0, True) for answer in pages[1:]]
    return sum(number for number, _ in slices), not any(is_cut for _, is_cut in slices)


def _slice(since: datetime, until: datetime, number: int) -> str:
    """A query for issues first seen before the window (0), or in one of its equal parts."""
    part: timedelta = (until - since) / _SLICES
    if number == 0:
        return f"firstSeen:<{api_time(since)}"
    begin, end = since + part * (number - 1), since + part * number
    upper = f" firstSeen:<{api_time(end)}" if number < _SLICES else ""
    return f"firstSeen:>={api_time(begin)}{upper}"
