"""Finds Linear's and Sentry's issues in a text, by identifier (`ENG-12`, `SHOP-1A`) or address.

`written_relations.py` decides the relation from the words around it. A form that has many other uses (`K8S-12`,
`4U-3`, `eng-12`) is only a candidate: an issue must claim the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.domain.linear_names import find_pages
from lightfast_pipelines.domain.markup import link_start
from lightfast_pipelines.domain.sentry_names import (
    find_addresses,
    find_short_ids,
    short_ids_of_branch,
)
from lightfast_pipelines.domain.vercel_names import find_deployments

_LINEAR_URL = re.compile(
    r"(?:https?://)?(?<![\w.@-])linear\.app/(?P<organization>[\w-]{1,100})/issue/"
    r"(?P<name>(?=\d*[A-Za-z])[A-Za-z0-9]{1,20}-[1-9]\d{0,8})(?![\w-])(?:/[\w%~.-]*\w)*/?"
    r"(?:\?[\w=&%.:+*~,-]*[\w=*])?(?:#[\w-]*\w)?(?:\|[^|<>\n]{1,200}(?=>))?"
)
_IDENTIFIER = re.compile(
    r"(?<![\w/.-])(?:(?P<sentry>[Ss]entry)(?:[ \t]+issue)?:?[ \t]+)?"
    r"(?P<name>(?P<team>[A-Z]{2,10})-[1-9]\d{0,5})(?!\w)(?!-\w)(?!\.\d)"
)
# A project's slug and a number in Crockford's base 32, as Sentry writes short ids. At least one digit,
# otherwise every hyphenated pair of upper-case words would match.
_SHORT_ID = re.compile(
    r"(?<![\w/.-])(?:[Ss]entry(?:[ \t]+issue)?:?[ \t]+)?"
    r"(?P<name>(?P<team>[A-Z]{2,40})(?:-[A-Z][A-Z0-9]{0,40}){0,5}-(?=[A-Z]*\d)[1-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]{0,6})"
    r"(?!\w)(?!-\w)(?!\.\d)"
)

# A team's key is letters and digits, with at least one letter, or every date would be a candidate.
_CANDIDATE = re.compile(
    r"(?<![\w.@#-])#?(?P<name>(?P<team>(?=\d*[A-Za-z])[A-Za-z0-9]{1,20})-[1-9]\d{0,8})"
    r"(?!\w)(?!-\w)(?!\.\d)"
)
# `ENG-1/ENG-2` is a list; any other word after a slash is part of a path.
_LISTED = re.compile(r"(?<![\w/.@#-])[A-Za-z0-9]{1,20}-[1-9]\d{0,8}/$")
_PARTS_OF_BRANCH = re.compile(r"[/_-]")
_KEY = re.compile(r"(?=\d*[A-Za-z])[A-Za-z0-9]{1,20}")
_NUMBER = re.compile(r"[1-9]\d{0,8}")
# What every match of the patterns above contains. A hyphen is found at once, while a pattern that may begin with
# any letter is tried at each of them.
_IN_IDENTIFIER = re.compile(r"-(?<=[A-Z0-9]-)[1-9A-Z]")
_IN_CANDIDATE = re.compile(r"-(?<=[A-Za-z0-9]-)[1-9]")

# Upper-case names with a number that are never issues.
_NO_TEAMS = (
    "AES AGPL ALPHA ANSI APACHE ARM ASCII AVX BASE BCP BETA BIG BIP BPO BSD CLAUDE COVID CP CPU CRC CSS CVE CWE DAY "
    "DES EC ECMA EIP EN ERC ES EST EUC FIPS FLOAT GB GEP GH GHSA GMT GPL GPT GPU HMAC HS HTML HTTP HTTPS IEC IEEE INT "
    "IP IPV ISO JAVA JEP JIS JWT KEP KOI LATIN LC LGPL LEVEL LLAMA LTS MD MIT MP NEP NIST NODE OAUTH PART PEP PHASE "
    "PKCS PORT PR PS PSR PYTHON RC RFC RIPEMD RS RSA SHA SHAKE SIP SSE SSL STEP TIP TLS TOP TYPE UCS UINT US UTC UTF "
    "VERSION WEEK WIN WINDOWS"
)
_NO_TEAM = frozenset(_NO_TEAMS.split())


class Named(NamedTuple):
    """A span of the text and the stub that it names; `kind` is `url` or `identifier`."""

    start: int
    end: int
    thing: Thing
    kind: str


def find_identifiers(text: str) -> Iterator[Named]:
    """Every identifier and address, in no particular order.

    `ABC-12` may be an issue of Linear or of Sentry: its stub has both aliases and becomes whichever
    issue arrives. With `Sentry` before it, or in a form that only Sentry has (`FRONT-END-9`,
    `SHOP-1A`), it is Sentry's.
    """
    for match in _LINEAR_URL.finditer(text) if "linear.app/" in text else ():
        identifier = match["name"].upper()
        key = keys.linear_issue_by_address(match["organization"], identifier)
        shown = match[0].partition("|")[0]  # `<https://...|ENG-1>`, as Slack writes it
        address = shown if "://" in shown else f"https://{shown}"
        start = link_start(text, match.start())
        yield Named(start, match.end(), Thing(key, identifier, address), "url")
    for start, end, thing in find_addresses(text):
        yield Named(start, end, thing, "url")
    if _IN_IDENTIFIER.search(text) is None:
        return
    for match in _IDENTIFIER.finditer(text):
        if match["team"] not in _NO_TEAM:
            name = match["name"]
            of_sentry = keys.sentry_issue_by_short_id(name)
            thing = (
                Thing(of_sentry, name)
                if match["sentry"]
                else Thing(keys.linear_issue_by_identifier(name), name, aliases=(of_sentry,))
            )
            yield Named(match.start(), match.end(), thing, "identifier")
    for match in _SHORT_ID.finditer(text):
        name = match["name"]
        if match["team"] not in _NO_TEAM and not _IDENTIFIER.fullmatch(name):
            thing = Thing(keys.sentry_issue_by_short_id(name), name)
            yield Named(match.start(), match.end(), thing, "identifier")


def find_candidates(text: str) -> Iterator[Named]:
    """Every word that may be an issue's identifier.

    `kind` is `plain` for the usual form of an identifier (`K8S-12`), `unlikely` for a form that mostly
    means something else (`eng-12`, `UTF-8`), and `address` for an address.
    """
    for match in _CANDIDATE.finditer(text) if _IN_CANDIDATE.search(text) else ():
        start, name, team = match.start(), match["name"].upper(), match["team"]
        if text[start - 1 : start] == "/" and not _LISTED.search(text, max(0, start - 40), start):
            continue
        aliases = (keys.linear_issue_by_identifier(name), keys.sentry_issue_by_short_id(name))
        is_plain = team.isupper() and team not in _NO_TEAM
        thing = Thing(keys.candidate_name(name), name, aliases=aliases)
        yield Named(match.start(), match.end(), thing, "plain" if is_plain else "unlikely")
    for start, end, thing in (*find_deployments(text), *find_pages(text)):
        yield Named(start, end, thing, "address")
    for short_id in find_short_ids(text):
        parts = short_id.slug.upper().split("-")
        is_taken = parts[0] in _NO_TEAM
        if _CANDIDATE.fullmatch(short_id.name) or (is_taken and any(map(str.isdigit, parts[1:]))):
            continue  # it may be Linear's as well, or `CVE-2026-1`
        alias = keys.sentry_issue_by_short_id(short_id.name)
        thing = Thing(keys.candidate_name(short_id.name), short_id.name, aliases=(alias,))
        is_plain = short_id.is_plain and not is_taken
        yield Named(short_id.start, short_id.end, thing, "plain" if is_plain else "unlikely")


def names_of_branch(branch: str) -> tuple[str, ...]:
    """Aliases of the issue that a branch was made for, the most credible first.

    First the issue for which Linear proposed this branch, then the identifiers in the name that an issue
    may claim (`feature/lh-98-slug`, `mira/eng-12`, `ENG_12`, `mira-4u-3-greet`), then possible short ids
    of Sentry's (`fix/shop-1a`).
    """
    parts = _PARTS_OF_BRANCH.split(branch)
    names = [
        f"{key}-{number}"
        for key, number in pairwise(parts)
        if _KEY.fullmatch(key) and _NUMBER.fullmatch(number)
    ]
    aliases = [keys.linear_issue_by_branch(branch)]
    aliases += map(keys.linear_issue_by_identifier, names)
    aliases += map(keys.sentry_issue_by_short_id, short_ids_of_branch(branch))
    return tuple(dict.fromkeys(aliases))
