"""How APIs divide lists into pages: numbered pages by offset, Link headers, and how many there are.

A cursor of numbered pages is an offset in items, so that it holds while the page size is halved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, Estimate

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^;,<]+)*)")
_RELATION = re.compile(r';\s*rel="?([^";]+)"?')


def links(headers: Mapping[str, str]) -> dict[str, str]:
    """Relation (`next`, `last`, ...) -> address, of a Link header (RFC 8288)."""
    found: dict[str, str] = {}
    for address, parameters in _LINK.findall(headers.get("link", "")):
        relation = _RELATION.search(parameters)
        if relation is not None:
            found[relation[1].strip()] = address
    return found


def page_of(cursor: Cursor, page_size: int) -> str:
    """Number of the page at the cursor's offset, from 1 on."""
    return str(int(cursor.get("offset", 0)) // page_size + 1)


def page_size_of(answer: Answer, fallback: int) -> int:
    """The size that the page was asked with, by its own address."""
    asked = parse_qs(urlsplit(answer.url).query).get("per_page")
    return int(asked[0]) if asked and asked[0].isdigit() else fallback


def after(cursor: Cursor, answer: Answer, page_size: int) -> Cursor | None:
    """The cursor behind a numbered page, where its Link header says that there is more; where that
    names a cursor of the provider's own (`after`), by it.

    It counts from where the page really ended: 25 is no multiple of 12, to which it is halved, so the
    page that holds it begins at 24 and ends at 36, not at 37."""
    following = links(answer.headers).get("next")
    if following is None:
        return None
    size = page_size_of(answer, page_size)
    offset = (int(cursor.get("offset", 0)) // size + 1) * size
    own = parse_qs(urlsplit(following).query).get("after")
    return {**cursor, "offset": offset, **({"after": own[0]} if own else {})}


def is_endless(answer: Answer) -> bool:
    """Whether more follows and nobody says how much."""
    found = links(answer.headers)
    return "next" in found and "last" not in found


def moment(value: object) -> datetime | None:
    """A time that a cursor keeps, as `isoformat` wrote it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def looking_again(
    cursor: Cursor, following: Cursor | None, newest: datetime | None, *, key: str = "offset"
) -> Cursor | None:
    """The cursor behind a page of a list that is ordered by the time of the last change.

    Where a look at the list took several pages, another one begins at its top, down to what was the
    newest when the look began: what changed meanwhile moved up there. `key` is the cursor's position,
    which is not set, or 0, on a look's first page.
    """
    began = cursor.get("newest") or (newest.isoformat() if newest is not None else None)
    if following is not None:
        return {**following, "newest": began}
    until = cursor.get("again_until")
    if not cursor.get(key) or began is None or began == until:
        return None
    return {**({"offset": 0} if key == "offset" else {}), "again_until": began}


def last_page(answer: Answer) -> int:
    """How many pages of this size there are, by the Link header of one of them."""
    found = links(answer.headers)
    if "last" in found:
        number = parse_qs(urlsplit(found["last"]).query).get("page")
        if number and number[0].isdigit():
            return int(number[0])
    return page_number(answer)


def page_number(answer: Answer) -> int:
    """Which page it is, by its own address."""
    asked = parse_qs(urlsplit(answer.url).query).get("page")
    return int(asked[0]) if asked and asked[0].isdigit() else 1


def estimate_of_all(
    answers: Sequence[Answer], call: Callable[[int], Call], items: Callable[[Answer], int]
) -> Call | Estimate:
    """For a list that the provider cuts to the window itself: the first page says how many there are,
    the last how many items."""
    if not answers:
        return call(1)
    pages = last_page(answers[0])
    if pages == 1:
        return Estimate(1, items(answers[0]), exact=True)
    if len(answers) == 1:
        return call(pages)
    count = items(answers[0]) * (pages - 1) + items(answers[1])
    return Estimate(pages, count, exact=True)


def estimate_newest_first(
    answers: Sequence[Answer],
    call: Callable[[int], Call],
    items: Callable[[Answer], int],
    oldest: Callable[[Answer], datetime | None],
    since: datetime,
) -> Call | Estimate:
    """For a list that goes from the newest to the oldest and is left where the window begins: the page
    in which that is, found by halving."""
    if not answers:
        return call(1)
    size, pages = items(answers[0]), last_page(answers[0])

    def is_inside(answer: Answer) -> bool:
        end = oldest(answer)
        return end is not None and end >= since

    if pages == 1 or not is_inside(answers[0]):
        return Estimate(1, size)
    if len(answers) == 1:
        return call(pages)
    if is_inside(answers[1]):
        return Estimate(pages, size * (pages - 1) + items(answers[1]), exact=True)
    inside, outside = 1, pages
    for answer in answers[2:]:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if is_inside(answer) else (inside, middle)
    if outside - inside > 1:
        return call((inside + outside) // 2)
    return Estimate(outside, size * inside + size // 2)
