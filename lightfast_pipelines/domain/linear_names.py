"""Addresses of Linear's projects, initiatives and documents.

The entity of a page claims its own address, which ends in an id after words that change with the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.domain.markup import link_start

_PAGE = re.compile(
    r"(?:https?://)?(?<![\w.@-])linear\.app/(?P<organization>[\w-]{1,100})/"
    r"(?P<kind>project|initiative|document)/(?:[\w%~.-]{0,200}-)?(?P<id>[0-9a-f]{4,36})(?![\w-])"
    r"(?:/[\w%~.-]*\w)*(?:\?[\w=&%.:+*~,-]*[\w=*])?(?:#[\w-]*\w)?",
    re.IGNORECASE,
)


def page_names(address: str | None) -> tuple[str, ...]:
    """The alias that an entity claims by its own address; none for an address of another form."""
    match = _PAGE.fullmatch(address or "")
    return () if match is None else (_alias(match),)


def find_pages(text: str) -> Iterator[tuple[int, int, Thing]]:
    """Every address of a page, each a candidate."""
    for match in _PAGE.finditer(text) if "linear.app/" in text else ():
        alias = _alias(match)
        thing = Thing(keys.candidate_address(alias), url=match[0], aliases=(alias,))
        yield link_start(text, match.start()), match.end(), thing


def _alias(match: re.Match[str]) -> str:
    return keys.linear_page(match["organization"], match["kind"], match["id"])
