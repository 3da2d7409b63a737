"""Pages of an API's lists: numbered pages by offset, Link headers, estimates of their number.

A cursor of numbered pages is an offset in items, so that it stays valid when the page size is halved.
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
    addresses: dict[str, str] = {}
    for address, parameters in _LINK.findall(headers.get("link", "")):
        relation = _RELATION.search(parameters)
        if relation is not None:
            addresses[relation[1].strip()] = address
    return addresses


def page_of(cursor: Cursor, page_size: int) -> str:
    """The number of the page at the cursor's offset, counted from 1."""
    return str(int(cursor.get("offset", 0)) // page_size + 1)


def page_size_of(answer: Answer, fallback: int) -> int:
    """The page size in the address of the request."""
    sizes = parse_qs(urlsplit(answer.url).query).get("per_page")
    return int(sizes[0]) if sizes and sizes[0].isdigit() else fallback


def after(cursor: Cursor, answer: Answer, page_size: int) -> Cursor | None:
    """The cursor after a numbered page, where its Link header says that there is more; if the header
    has a cursor of the provider's own (`after`), that cursor.

    It counts from the real end of the page: 25 is not a multiple of 12, to which it is halved, so the
    page that contains item 25 begins at 24 and ends at 36, not at 37."""
    following = links(answer.headers).get("next")
    if following is None:
        return None
    size = page_size_of(answer, page_size)
    offset = (int(cursor.get("offset", 0)) // size + 1) * size
    own_cursor = parse_qs(urlsplit(following).query).get("after")
    return {**cursor, "offset": offset, **({"after": own_cursor[0]} if own_cursor else {})}


def is_endless(answer: Answer) -> bool:
    """Whether more pages follow without a known number."""
    relations = links(answer.headers)
    return "next" in relations and "last" not in relations


def moment(value: object) -> datetime | None:
    """A time in a cursor, written by `isoformat`."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def looking_again(
    cursor: Cursor, following: Cursor | None, newest: datetime | None, *, key: str = "offset"
) -> Cursor | None:
    """The cursor after a page of a list that is ordered by last change.

    Where reading the list took several pages, it is read again from the top, down to the item that was
    the newest when reading began: items that changed meanwhile have moved there. `key` names the
    cursor's position, which is absent or 0 on the first page.
    """
    began = cursor.get("newest") or (newest.isoformat() if newest is not None else None)
    if following is not None:
        return {**following, "newest": began}
    until = cursor.get("again_until")
    if not cursor.get(key) or began is None or began == until:
        return None
    return {**({"offset": 0} if key == "offset" else {}), "again_until": began}


def last_page(answer: Answer) -> int:
    """The number of pages of this size, from the Link header of one of them."""
    relations = links(answer.headers)
    if "last" in relations:
        number = parse_qs(urlsplit(relations["last"]).query).get("page")
        if number and number[0].isdigit():
            return int(number[0])
    return page_number(answer)


def page_number(answer: Answer) -> int:
    """The number of the page in the address of the request."""
    numbers = parse_qs(urlsplit(answer.url).query).get("page")
    return int(numbers[0]) if numbers and numbers[0].isdigit() else 1


def estimate_of_all(
    answers: Sequence[Answer], call: Callable[[int], Call], items: Callable[[Answer], int]
) -> Call | Estimate:
    """An estimate for a list that the provider limits to the window: the first page says how many pages
    there are, the last page how many items."""
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
    """An estimate for a newest-first list that is read down to the start of the window: binary search
    finds the page where the window starts."""
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
