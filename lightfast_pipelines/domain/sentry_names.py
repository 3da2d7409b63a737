"""Names of Sentry's issues in a text: addresses with a number or a short id, and short ids alone.

An issue claims its address and its short id, so a name in any of these forms can be looked up. An address
names the organisation, because two may have projects of the same slug, and so the same short ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.domain.markup import link_start

_SHORT_ID = r"[A-Za-z0-9][\w-]{0,99}-[0-9A-Za-z]{1,12}"
# `sentry.io/organizations/acme/issues/4711/`, `acme.sentry.io/issues/SHOP-1A/`, the old
# `sentry.io/acme/shop/issues/4711/`, each also of a self-hosted Sentry; then a view of the issue.
_ADDRESS = re.compile(
    r"https?://(?P<host>[\w.-]+)(?::\d{1,5})?/(?:[\w-]+/)?"
    r"(?:organizations/(?P<organization>[\w-]+)/|(?P<owner>(?!organizations/)[\w-]+)/[\w-]+/)?"
    rf"issues/(?P<name>[1-9]\d{{0,18}}|{_SHORT_ID})(?![\w-])"
    r"(?:/[\w%-]+)*/?(?:\?[\w=&%.:+*~,-]*[\w=*])?(?:#[\w-]*)?",
    re.IGNORECASE,
)
_OWN_SERVER = re.compile(r"(?:^|[.-])sentry(?:[.-]|$)", re.IGNORECASE)
# Hosts below sentry.io that are a region or the site itself, not an organisation.
_NO_ORGANIZATION = frozenset({"www", "us", "de", "eu", "app", "s1", "docs"})
# The list of issues has views with names: a short id has a digit or is all capitals.
_VIEW = re.compile(r"(?![^\d]*\d[^-]*$)[a-z_-]+", re.ASCII)


_SAID = re.compile(r"(?<![\w-])sentry(?:[ \t-]{1,4}issue)?[ \t]{0,4}:?[ \t]{1,4}$", re.IGNORECASE)


def find_addresses(text: str) -> Iterator[tuple[int, int, Thing]]:
    """Every address of an issue, from where its link begins to where the address ends."""
    for match in _ADDRESS.finditer(text) if "/issues/" in text else ():
        thing = _thing(match)
        if thing is None:
            continue
        start = link_start(text, match.start())
        sentry_word = _SAID.search(text, max(0, start - 20), start)
        yield (sentry_word.start() if sentry_word else start, match.end(), thing)


# A project's slug and a number in base 32 as Sentry writes it (no I, L, O or U, no leading zero).
_NAME = re.compile(
    r"(?<![\w/.@#-])(?P<said>sentry(?:[ \t-]{1,4}issue)?[ \t]{0,4}:?[ \t]{1,4})?"
    r"(?P<name>(?P<slug>(?=[\d_-]*[A-Z])\w{1,40}(?:-\w{1,40}){0,6})-(?P<number>[1-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]{0,6}))"
    r"(?!\w)(?!-\w)(?!\.\d)",
    re.IGNORECASE | re.ASCII,
)
# What every such name contains: a hyphen is found at once, a letter at each place.
_IN_NAME = re.compile(
    r"-(?<=\w-)[1-9A-HJKMNP-TV-Za-hjkmnp-tv-z][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{0,6}(?!\w)", re.ASCII
)
_PARTS = re.compile(r"[/_-]")
_NUMBER_PART = re.compile(r"(?=.*\d)[1-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]{0,6}", re.IGNORECASE)
_MOST_PARTS_OF_SLUG = 4


class Candidate(NamedTuple):
    """A word that is a short id only if an issue claims it; `is_plain`: it has the usual form."""

    start: int
    end: int
    name: str
    slug: str
    is_plain: bool


def find_short_ids(text: str) -> Iterator[Candidate]:
    """Every word in the form of a short id: `MY-APP-2-1A`, `SHOP-AB`, `shop-1a`."""
    for match in _NAME.finditer(text) if _IN_NAME.search(text) else ():
        name = match["name"]
        has_digit = any(letter.isdigit() for letter in match["number"])
        is_plain = match["said"] is not None or (name == name.upper() and has_digit)
        yield Candidate(match.start(), match.end(), name.upper(), match["slug"], is_plain)


def short_ids_of_branch(branch: str) -> Iterator[str]:
    """The parts of a branch's name that may be a short id, longest first: `fix/my-app-2-1a-guard-total`."""
    parts = _PARTS.split(branch)
    for length in range(_MOST_PARTS_OF_SLUG, 0, -1):
        for end in range(length, len(parts)):
            slug = "-".join(parts[end - length : end])
            if _NUMBER_PART.fullmatch(parts[end]) and any(letter.isalpha() for letter in slug):
                yield f"{slug}-{parts[end]}".upper()


def _thing(match: re.Match[str]) -> Thing | None:
    host, name, organization = match["host"].lower(), match["name"], match["organization"]
    site = keys.sentry_site(host)
    is_sentry = site == keys.SENTRY_CLOUD or _OWN_SERVER.search(host) is not None
    if not is_sentry and (organization is None or host.startswith("github.")):
        return None
    if host == f"docs.{keys.SENTRY_CLOUD}" or (not name.isdigit() and _VIEW.fullmatch(name)):
        return None
    label, _, rest = host.partition(".")
    is_named = rest == keys.SENTRY_CLOUD and label not in _NO_ORGANIZATION
    of_host = label if is_named else None
    organization = organization or match["owner"] or of_host
    if name.isdigit():
        key = keys.sentry_issue_by_address(site, name)
        return Thing(
            key, url=match[0], aliases=(keys.sentry_merged_issue(keys.at_sentry_site(name, site)),)
        )
    short_id = name.upper()
    if organization is None:
        return Thing(keys.sentry_issue_by_short_id(short_id), short_id, match[0])
    return Thing(keys.sentry_issue_in(site, organization, short_id), short_id, match[0])
