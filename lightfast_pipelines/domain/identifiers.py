"""Issues that a text names by an identifier or address of Linear's or Sentry's: `ENG-12`, `SHOP-1A`.

What the words around them make of it stands in links.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing

_LINEAR_URL = re.compile(r"https?://linear\.app/[\w-]+/issue/([A-Za-z]{2,10}-[1-9]\d{0,5})(?!\w)")
# An organisation stands in the host or in the path; what follows the number is a view of the issue.
_SENTRY_URL = re.compile(
    r"https?://(?:[\w-]+\.)?sentry\.io/(?:organizations/[\w-]+/|[\w-]+/[\w-]+/)?issues/([1-9]\d{0,18})(?!\w)"
    r"(?:/[\w/-]*)?"
)
_IDENTIFIER = re.compile(
    r"(?<![\w/.-])(?:(?P<sentry>[Ss]entry)(?:[ \t]+issue)?[ \t]+)?"
    r"(?P<name>(?P<team>[A-Z]{2,10})-[1-9]\d{0,5})(?!\w)(?!-\w)(?!\.\d)"
)
# A project's slug and a number in Crockford's base 32, as Sentry writes short ids. At least one digit:
# else every hyphenated pair of upper-case words would be one.
_SHORT_ID = re.compile(
    r"(?<![\w/.-])(?:[Ss]entry(?:[ \t]+issue)?[ \t]+)?"
    r"(?P<name>(?P<team>[A-Z]{2,40})(?:-[A-Z][A-Z0-9]{0,40}){0,5}-(?=[A-Z]*\d)[0-9A-HJKMNP-TV-Z]{1,7})"
    r"(?!\w)(?!-\w)(?!\.\d)"
)

# Upper-case names with a number that nobody files as an issue.
_NO_TEAMS = (
    "AES AGPL ALPHA ANSI APACHE ARM ASCII AVX BASE BCP BETA BIG BIP BPO BSD CLAUDE COVID CP CPU CRC CSS CVE CWE DAY "
    "DES EC ECMA EIP EN ERC ES EST EUC FIPS FLOAT GB GEP GH GHSA GMT GPL GPT GPU HMAC HS HTML HTTP HTTPS IEC IEEE INT "
    "IP IPV ISO JAVA JEP JIS JWT KEP KOI LATIN LC LGPL LEVEL LLAMA LTS MD MIT MP NEP NIST NODE OAUTH PART PEP PHASE "
    "PKCS PORT PR PS PSR PYTHON RC RFC RIPEMD RS RSA SHA SHAKE SIP SSE SSL STEP TIP TLS TOP TYPE UCS UINT US UTC UTF "
    "VERSION WEEK WIN WINDOWS"
)
_NO_TEAM = frozenset(_NO_TEAMS.split())


class Named(NamedTuple):
    """A stretch of the text and the stub that it names; `kind` is `url` or `identifier`."""

    start: int
    end: int
    thing: Thing
    kind: str


def find_identifiers(text: str) -> Iterator[Named]:
    """Every identifier and address, in no order.

    `ABC-12` may be an issue of Linear or of Sentry: its stub can be found by either name, and stands
    for whichever of them there is. With `Sentry` before it, or in a form that only Sentry has
    (`FRONT-END-9`, `SHOP-1A`), it is Sentry's.
    """
    for match in _LINEAR_URL.finditer(text) if "://linear.app/" in text else ():
        identifier = match[1].upper()
        thing = Thing(keys.linear_issue_by_identifier(identifier), identifier, match[0])
        yield Named(match.start(), match.end(), thing, "url")
    for match in _SENTRY_URL.finditer(text) if "sentry.io/" in text else ():
        thing = Thing(keys.sentry_issue_by_id(match[1]), url=match[0])
        yield Named(match.start(), match.end(), thing, "url")
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
