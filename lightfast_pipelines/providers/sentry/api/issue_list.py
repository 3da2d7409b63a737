"""Goes over the issues of a linked resource, the newest first by first sight, and asks for each one.

By first sight, which never changes: an issue that is seen again during the walk does not move. What is
asked of an issue is the walkers' own.
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
from lightfast_pipelines.providers.sentry.api import links
from lightfast_pipelines.providers.sentry.api.where import (
    asking,
    moment,
    only_organization,
    organization_of,
    organizations_call,
    project_params,
)
from lightfast_pipelines.providers.sentry.webhooks.titles import is_error
from lightfast_pipelines.providers.sentry.webhooks.values import identity

MOST = 100  # of one page
_SLICES = 8


def start(place: LinkedResource) -> Cursor:
    """{organization, after, pending, ended}: the organisation, the next page, the issues still to be
    asked for, and whether there is no page behind them."""
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
    """The request for the organisations or the next page of issues; None: an issue is to be asked for."""
    if cursor["organization"] is None:
        return organizations_call()
    if cursor["pending"]:
        return None
    return listing(
        place,
        cursor["organization"],
        min(page_size, MOST),
        since=since,
        until=until,
        counts=counts,
        after=cursor["after"],
    )


def listing(
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
    """Issues of any status that were seen from `since` until `until`. `counts`: with how often."""
    pairs = [
        *project_params(place).items(),
        ("query", query),
        ("sort", "new"),
        ("start", moment(since)),
        ("end", moment(until, up=True)),
        ("limit", str(limit)),
    ]
    if not counts:
        pairs.append(("collapse", "stats"))
    if after is not None:
        pairs.append(("cursor", after))
    return asking(f"/api/0/organizations/{organization}/issues/", "issues", *pairs)


def read(
    place: LinkedResource, cursor: Cursor, answer: Answer, *, errors_only: bool = False
) -> Page:
    """Of the organisations, or of a page of issues. Raises ValueError for another shape.

    `errors_only` leaves out issues of monitors, performance and feedback."""
    if cursor["organization"] is None:
        named = {**cursor, "organization": only_organization(place, answer)}
        return Page((), named, 0)
    items = issues_of(answer)
    after = links.following(answer.headers)
    pending = [
        number
        for item in items
        if (number := identity(item, "id")) is not None and (is_error(item) or not errors_only)
    ]
    following = {**cursor, "after": after, "pending": pending, "ended": after is None}
    return Page((), following if pending or after is not None else None, 0)


def behind(cursor: Cursor) -> Json | None:
    """Where to go on after the first of the pending issues."""
    rest = list(cursor["pending"][1:])
    if not rest and cursor["ended"]:
        return None
    return {
        "organization": cursor["organization"],
        "after": cursor["after"],
        "pending": rest,
        "ended": cursor["ended"],
    }


def issues_of(answer: Answer) -> list[Mapping[str, Any]]:
    if not isinstance(answer.data, list):
        raise ValueError("no list of issues")
    return [item for item in answer.data if isinstance(item, dict)]


def count(
    place: LinkedResource,
    answers: Sequence[Answer],
    *,
    since: datetime,
    until: datetime,
    counts: bool,
) -> Call | tuple[int, bool]:
    """The next request to count the issues with, or (issues, whether that is exact).

    Sentry counts to a thousand: of more it is asked by when they were first seen, slice by slice.
    """
    organization = organization_of(place)
    rest = list(answers)
    if organization is None:
        if not rest:
            return organizations_call()
        organization = only_organization(place, rest.pop(0))
    arguments: dict[str, Any] = {"since": since, "until": until, "counts": counts}
    if not rest:
        return listing(place, organization, MOST if counts else 1, **arguments)
    told = links.hits(rest[0].headers)
    if told is None:
        return len(issues_of(rest[0])), links.following(rest[0].headers) is None
    if not told[1]:
        return told[0], True
    if len(rest) <= _SLICES + 1:
        query = _slice(since, until, len(rest) - 1)
        return listing(place, organization, 1, query=query, **arguments)
    found = [links.hits(answer.headers) or (0, True) for answer in rest[1:]]
    return sum(number for number, _ in found), not any(cut for _, cut in found)


def _slice(since: datetime, until: datetime, number: int) -> str:
    """Issues by their first sight: before the window, or in one of the equal parts of it."""
    part: timedelta = (until - since) / _SLICES
    if number == 0:
        return f"firstSeen:<{moment(since)}"
    begin, end = since + part * (number - 1), since + part * number
    upper = f" firstSeen:<{moment(end)}" if number < _SLICES else ""
    return f"firstSeen:>={moment(begin)}{upper}"
