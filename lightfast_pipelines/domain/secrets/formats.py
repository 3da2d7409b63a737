"""Formats of tokens and keys.

A format has to identify a secret by itself; none guesses by randomness, so a commit's sha stays.
detect-secrets has some of the formats. Its last release, of 2024, knows half of what providers issue
now; the other formats are listed here, as providers document them and as gitleaks and CredSweeper have
them.
"""

from __future__ import annotations

import re
from functools import cache

from lightfast_pipelines.domain.secrets.shapes import COMMON_SHAPES, SHAPES
from lightfast_pipelines.domain.secrets.spoken import may_be_spoken

# A digit or many capitals, which names in programs do not have.
_RANDOM = r"(?=[A-Za-z]{0,64}[0-9]|(?:[a-z]{0,16}[A-Z]){6})"

# The prefixes of a kind of token, and the format of what follows. A prefix may stay: it names the kind and
# is the same in every token of it.
_PREFIXED: tuple[tuple[str, str], ...] = (
    ("ghp_ gho_ ghu_ ghs_ ghr_", r"[0-9]{1,20}_eyJ[A-Za-z0-9_.-]{20,}|[A-Za-z0-9_-]{36,}"),
    ("github_pat_", r"[A-Za-z0-9_]{22,}"),
    ("npm_", r"[A-Za-z0-9]{36,}"),
    ("pypi-", r"AgE[A-Za-z0-9_-]{40,}"),
    ("sk-ant- sk-proj- sk-svcacct- sk-admin- sk-or-v1-", r"[A-Za-z0-9_-]{32,}"),
    ("lin_api_ lin_oauth_ lin_refresh_ lin_wh_", r"[A-Za-z0-9]{16,}"),
    ("sntrys_ sntryu_ sntrya_ sntryi_ sntryr_", r"[A-Za-z0-9_=+/-]{32,}"),
    ("vercel_blob_rw_", r"[A-Za-z0-9_]{16,}"),
    ("vercel_ vcp_ vci_ vca_ vcr_ vck_", r"" + _RANDOM + r"[A-Za-z0-9]{20,}"),
    ("whsec_", r"[A-Za-z0-9+/=]{24,}"),
    ("sk_live_ rk_live_ sk_test_ rk_test_ sk_org_live_ sk_org_test_", r"[A-Za-z0-9]{16,}"),
    ("xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-", r"[A-Za-z0-9-]{20,}"),
    ("hf_ r8_ gsk_ xai- pplx- ntn_ tvly- phx_", _RANDOM + r"[A-Za-z0-9]{30,}"),
    ("dckr_pat_ dckr_oat_", r"[A-Za-z0-9_-]{20,}"),
    ("dop_v1_ doo_v1_ dor_v1_ dos_v1_", r"[a-f0-9]{32,}"),
    ("shpat_ shpca_ shppa_ shpss_ shptka_ shpua_", r"[A-Fa-f0-9]{32,}"),
    ("tskey-", r"(?:[a-z]{3,10}-)?[A-Za-z0-9]{8,}(?:-[A-Za-z0-9]{8,})+|[A-Za-z0-9]{20,}"),
    ("AGE-SECRET-KEY-", r"(?:PQ-)?1[0-9A-Z]{20,}"),
    ("GOCSPX-", r"[A-Za-z0-9_-]{24,}"),
    ("hvs. hvb. hvr.", r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{24,}"),
    ("pscale_tkn_ pscale_oauth_ pscale_pw_", r"[A-Za-z0-9_.-]{32,}"),
    ("figd_ tfp_ glsa_ lsv2_pt_ lsv2_sk_", r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{38,}"),
    ("glc_ ops_", r"eyJ[A-Za-z0-9_+/=-]{32,}"),
    ("sbp_ sgp_ sqp_ sqa_ squ_ rubygems_ pul-", r"(?:[a-z0-9]{2,16}_)?[a-f0-9]{40,}"),
    ("nfp_ nfc_ nfo_ nfb_ nfu_", _RANDOM + r"[A-Za-z0-9]{36,}"),
    (
        "CCIPAT_ CCIPRJ_ FLWSECK- FLWSECK_TEST- NRII- PMAK- PMAT- NRAK- CFPAT- xkeysib-",
        r"[A-Za-z0-9_-]{24,}",
    ),
    ("cfat_ cfut_ cfk_ tgp_v1_ nyk_v0_", r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{40,}"),
    ("HRKU- SWMTKN-1- SWMKEY-1-", r"[A-Za-z0-9_-]{36,}"),
    ("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9._-]{40,}"),
    ("ya29.", r"[A-Za-z0-9._-]{20,}"),
    ("hf_ api_org_", r"[A-Za-z]{34}(?![A-Za-z0-9_])"),
    ("gl", r"(?:ffct|wt)-[A-Za-z0-9_-]{20,}"),
    ("bedrock-api-key-", r"[A-Za-z0-9+/=]{40,}"),
    ("sq0atp- sq0csp- sq0idp- sq0idb-", r"[A-Za-z0-9_-]{22,}"),
    ("rzp_live_ rzp_test_", _RANDOM + r"[A-Za-z0-9]{14,}"),
    ("rnd_ fw_ tr_dev_ tr_prod_ tr_stg_ ddapp_", _RANDOM + r"[A-Za-z0-9]{20,}"),
    ("pcsk_", r"(?=[A-Za-z_]{0,64}[0-9])[A-Za-z0-9_]{40,}"),
    (
        "napi_ bkua_ bkat_ bkct_ pnu_ esecret_ hcaik_ hcbik_ hcxik_",
        _RANDOM + r"[A-Za-z0-9]{26,}",
    ),
    ("sb_secret_ nvapi- fo1_", r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{22,}"),
    ("fm1_ fm1r_ fm1a_ fm2_", r"[A-Za-z0-9+/=_-]{60,}"),
    ("secret_ secret-", _RANDOM + r"[A-Za-z0-9]{40,}"),
    ("e2b_ sk_ key_", r"[0-9a-f]{40,}"),
    ("NRJS-", r"[0-9a-f]{19}"),
    ("y0_ y1_ y2_ y3_", r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{50,}"),
    ("shippo_live_ shippo_test_ duffel_live_ duffel_test_", r"[A-Za-z0-9_-]{32,}"),
)
# Tokens that are recognised even if the end of a title cuts them off: no word begins like them.
_CUT_SHORT = (
    "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ xoxa- xoxb- xoxe- xoxp- xapp- sk_live_ rk_live_ sk_test_"
    " sk-ant- sk-proj- npm_ pypi- glpat- lin_api_ lin_oauth_ lin_wh_ sntrys_ sntryu_ dckr_pat_ dop_v1_"
    " shpat_ tskey- vercel_blob_rw_ AGE-SECRET-KEY- ya29. whsec_"
)

# Not after a colon: `branch:1296269:Add-a-cart...` is the key of a branch.
_TELEGRAM = re.compile(
    r"(?:(?<![A-Za-z0-9:])|(?<=bot)|(?<=%[0-9A-Fa-f]{2}))[0-9]{8,10}:A[A-Za-z0-9_-]{34}(?![A-Za-z0-9_-])"
)
# For each format of detect-secrets, a text that every match contains, and a narrower pattern if many
# other texts contain it too (`ASK`, `single`).
_OF_LIBRARY: tuple[tuple[str, re.Pattern[str] | None], ...] = (
    ("A", re.compile(r"A(?:KIA|SIA|BIA|CCA|3T[A-Z0-9])[0-9A-Z]{16}|AccountKey=")),
    *((aws, re.compile(r"[\"'][0-9a-zA-Z/+]{40}[\"']")) for aws in ("aws", "AWS", "Aws")),
    ("hooks.slack.com", None),
    ("T3BlbkFJ", None),
    ("SK", re.compile(r"SK[a-z0-9]{32}")),
    ("sq0", re.compile(r"sq0[a-z]{3}-")),
    ("eyJ", None),
    ("_authToken", None),
    ("SG.", None),
    ("gl", re.compile(r"gl[a-z]{2,5}-[A-Za-z0-9_-]{8}")),
    ("GR1348941", None),
    ("PRIVATE KEY", None),
    ("Private-Lines:", None),
    (":A", _TELEGRAM),
    ("-us", re.compile(r"-us[0-9]")),
)

_PREFIXES = tuple(
    {*_CUT_SHORT.split(), *(prefix for prefixes, _ in _PREFIXED for prefix in prefixes.split())}
)
_LONGEST_PREFIX = max(map(len, _PREFIXES))
# The mark before eight letters or more: every prefix ends in such a mark.
_MARK = re.compile(r"[_.-](?=[A-Za-z0-9_+/=-]{8})")

# Where a format may begin and end: not in the middle of a word or of an image's base64. An escape
# sequence of an address or a string before it is not part of a word.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
_END = r"(?![A-Za-z0-9])"
_SHAPES = tuple((anchor, re.compile(f"{_BEGIN}(?:{shape})")) for anchor, shape in SHAPES)
_COMMON_SHAPES = tuple(
    (anchor, re.compile(narrower), re.compile(f"{_BEGIN}(?:{shape})"))
    for anchor, narrower, shape in COMMON_SHAPES
)


# For formats that begin with any letters: otherwise every start within such a run would be tried.
_BEGIN_RUN = r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2}))"
# Some providers have made their tokens longer than detect-secrets expects.
_TO_ITS_END = r"[A-Za-z0-9_-]*"
# A token that an ellipsis cuts off, anywhere in the text.
_CUT_VISIBLY = _RANDOM + r"[A-Za-z0-9_-]{8,255}(?=\.\.\.|…(?!\[))"


def _alternatives(texts: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))


def _cut_at(end: str) -> str:
    """A token that this end cuts off."""
    begun = _alternatives(tuple(_CUT_SHORT.split()))
    return (
        rf"(?:{begun})(?=[A-Za-z_-]{{0,40}}[0-9])[A-Za-z0-9_-]{{8,255}}(?=(?:\.\.\.|…)?(?:{end}))"
    )


_IN_FULL = "|".join(f"(?:{_alternatives(tuple(p.split()))})(?:{body})" for p, body in _PREFIXED)
_CUT_ANYWHERE = f"(?:{_alternatives(_PREFIXES)}){_CUT_VISIBLY}"
_CUT_AT_THE_END = _cut_at(r"\Z")
# Texts are searched together, and what is at the end of a text is then at the end of a line.
_WITH_A_PREFIX = re.compile(
    "{}(?:{}|{}|{})".format(_BEGIN, _IN_FULL, _cut_at(r"\n|\Z"), _CUT_ANYWHERE)
)
# A token that is longer has its form within these characters, too.
_LONGEST_FORM = 512


def may_hold_secret(text: str) -> bool:
    """False only if no secret would be found: a cheap first test of all the text of a reading."""
    for mark in _MARK.finditer(text):
        first, end = max(0, mark.start() - _LONGEST_PREFIX), mark.end()
        # Most often `key_` begins the name of a file.
        if (
            text.endswith(_PREFIXES, first, end)
            and _WITH_A_PREFIX.search(text, first, end + _LONGEST_FORM) is not None
        ):
            return True
    for anchor, shape in _SHAPES:
        if anchor in text and shape.search(text) is not None:
            return True
    for anchor, narrower, shape in _COMMON_SHAPES:
        if anchor in text and narrower.search(text) is not None and shape.search(text) is not None:
            return True
    for anchor, pattern in _OF_LIBRARY:
        if anchor in text and (pattern is None or pattern.search(text) is not None):
            return True
    return may_be_spoken(text)


def public_prefix(secret: str) -> str:
    """The part of a secret that names its kind and may stay; empty if there is none."""
    match = _PUBLIC_PREFIX.match(secret)
    return match[0] if match is not None else ""


_PUBLIC_PREFIX = re.compile(
    _alternatives(
        (*_PREFIXES, "AKIA", "ASIA", "AIza", "eyJ", "SG.", "ATATT", "ATCTT", "ATBB", "sk-")
    )
    + r"|gl[a-z]{2,5}-|SK(?=[a-z0-9]{32})"
)


@cache
def formats() -> tuple[tuple[re.Pattern[str], int], ...]:
    """(format, group of the secret in it), from detect-secrets where it has the format.

    Left out are its plugins for entropy, keywords and public addresses (guesses), Telegram (matches
    keys; there is a format above), passwords in addresses (misses those without a user; `spoken.py`
    finds them), Artifactory (matches words that begin with AP), Cloudant, IBM and SoftLayer (match any
    24 letters or 64 digits after a word), npm and private keys (slow on long lines, and they match the
    first line alone). The patterns are used instead of `analyze_string`, which returns the kind of a
    GitHub token (`ghp`) for the token. The import is here because it takes 0.2 s, and most captures
    never need it.
    """
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

    access_key, secret_key = AWSKeyDetector.denylist
    begun = [
        (access_key, _END),
        *((pattern, _TO_ITS_END) for pattern in AzureStorageKeyDetector.denylist),
        *((pattern, _TO_ITS_END) for pattern in GitLabTokenDetector.denylist),
        *((pattern, _END) for pattern in MailchimpDetector.denylist),
        *((pattern, _TO_ITS_END) for pattern in SendGridDetector.denylist),
        *((pattern, _TO_ITS_END) for pattern in SlackDetector.denylist),
        *((pattern, _TO_ITS_END) for pattern in SquareOAuthDetector.denylist),
        *((pattern, _END) for pattern in TwilioKeyDetector.denylist),
    ]
    others = "|".join(shape for *_, shape in (*SHAPES, *COMMON_SHAPES))
    return (
        (re.compile(f"{_BEGIN}(?:{_IN_FULL}|{others})"), 0),
        (re.compile(f"{_BEGIN}{_CUT_AT_THE_END}"), 0),
        (re.compile(f"{_BEGIN}{_CUT_ANYWHERE}"), 0),
        *(
            (re.compile(f"{_BEGIN}(?:{p.pattern}){rest}", p.flags & re.IGNORECASE), 0)
            for p, rest in begun
        ),
        *((_run(p.pattern, r"[A-Za-z0-9_.=-]*"), 0) for p in JwtTokenDetector.denylist),
        *((_run(p.pattern, _TO_ITS_END), 0) for p in OpenAIDetector.denylist),
        (_TELEGRAM, 0),
        # What comes before these secrets is not part of them.
        (re.compile(r"_authToken=\s{0,8}([A-Za-z0-9_-]{36,})"), 1),
        (secret_key, 1),
    )


def _run(pattern: str, rest: str) -> re.Pattern[str]:
    return re.compile(f"{_BEGIN_RUN}(?:{pattern}){rest}")
