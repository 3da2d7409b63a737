"""Secrets in text: what a provider read out of a payload, with tokens and keys masked.

Only formats that say what they are, never a guess by randomness: a commit's sha stays. The payload's
bytes stay as they came; keys and ids are not text and are left alone.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any, TypeVar

MASK = "…[secret masked]"

_T = TypeVar("_T")

# One of these stands in every text that the formats below find something in: looking for them costs
# microseconds, the formats a hundred times that and 0.2 s to import. Behind an anchor that stands in
# common words too (`task-`, `ASK`, `re-use`, `single`) a second look follows.
_ANCHORS: tuple[tuple[str, re.Pattern[str] | None], ...] = (
    ("gh", re.compile(r"gh[opusr]_")),
    ("github_pat_", None),
    ("gl", re.compile(r"gl[a-z]{2,5}-[A-Za-z0-9_-]{8}")),
    ("GR1348941", None),
    ("A", re.compile(r"A(?:KIA|SIA|BIA|CCA|3T[A-Z0-9])[0-9A-Z]{16}|AIza|AWS|AccountKey=")),
    ("aws", None),
    ("xox", None),
    ("XOX", None),
    ("hooks.slack.com", None),
    ("k_live_", None),
    ("sk-", re.compile(r"sk-[A-Za-z0-9_-]{8}")),
    ("SK", re.compile(r"SK[a-z0-9]{32}")),
    ("sq0csp-", None),
    ("eyJ", None),
    ("npm_", None),
    ("_authToken", None),
    ("pypi-A", None),
    ("SG.", None),
    ("PRIVATE KEY", None),
    (":", re.compile(r"://[^/\s@]*:[^/\s@]+@|[0-9]:[0-9A-Za-z_-]{35}")),
    ("-us", re.compile(r"-us[0-9]")),
    ("lin_", re.compile(r"lin_(?:api|oauth)_")),
    ("sntry", None),
    ("whsec_", None),
)

# What may stay: it says which kind it was and is the same for every token of the kind.
_PUBLIC_PREFIX = re.compile(
    r"AKIA|ASIA|gh[opusr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]-|[rs]k_live_|sk-ant-|sk-proj-|sk-"
    r"|eyJ|npm_|pypi-|SG\.|AIza|lin_api_|lin_oauth_|sntry[su]_|whsec_|SK(?=[a-z0-9]{32})"
)

# Formats that the library does not know, or knows only in one line of a configuration file.
_OWN_FORMATS = (
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"npm_[A-Za-z0-9]{36,}",
    r"sk-ant-[A-Za-z0-9_-]{32,}",
    r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,}",
    r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}",
    r"sntry[su]_[A-Za-z0-9_=+/-]{32,}",
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"xox[abeoprs]-[A-Za-z0-9-]{20,}",
    # A token of which a title's end cut the rest off.
    r"(?:gh[opusr]_|github_pat_|xox[abeoprs]-|[rs]k_live_|sk-ant-|npm_|pypi-AgE|glpat-)"
    r"(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{8,255}(?=(?:\.\.\.|…)?\Z)",
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)"
    r"(?:[^-]*(?:-(?!----)[^-]*)*-----END [A-Z0-9 ]{0,40}-----"
    r"|(?:\s+[A-Za-z0-9+/=:,.]+(?: [A-Za-z0-9+/=:,.-]+)*)+)"
)
# Nothing but hexadecimal is a sha, a UUID or an id of an account, whatever stands around it.
_HEXADECIMAL = re.compile(r"[0-9a-fA-F-]+")
# Where a format must begin and end: not in the middle of a word or of an image's base64; what an
# address or a string escapes before it is no word.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
_END = r"(?![A-Za-z0-9])"
# Those that begin with a run of any letters: a start within the run would be looked at again.
_BEGIN_RUN = r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2}))"
# Some providers have made their tokens longer than the library knows.
_TO_ITS_END = r"[A-Za-z0-9_-]*"


@cache
def _formats() -> tuple[tuple[re.Pattern[str], int], ...]:
    """(format, group that is the secret), from detect-secrets where it has one.

    Only those whose format is its own proof. Left out: entropy, keywords and public addresses
    (guesses), Artifactory (matches words that begin with AP), Cloudant, IBM and SoftLayer (any 24
    letters or 64 digits behind a word), npm and private keys (slow on long lines, and the first line
    alone; above instead). Their patterns are used, not `analyze_string`, which gives the kind of a
    GitHub token (`ghp`) for the token.
    """
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector
    from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

    access_key, secret_key = AWSKeyDetector.denylist
    begun = [
        (access_key, _END),
        *((one, _TO_ITS_END) for one in AzureStorageKeyDetector.denylist),
        *((one, _TO_ITS_END) for one in GitHubTokenDetector.denylist),
        *((one, _TO_ITS_END) for one in GitLabTokenDetector.denylist),
        *((one, _END) for one in MailchimpDetector.denylist),
        *((one, _TO_ITS_END) for one in PypiTokenDetector.denylist),
        *((one, _TO_ITS_END) for one in SendGridDetector.denylist),
        *((one, _TO_ITS_END) for one in SlackDetector.denylist),
        *((one, _TO_ITS_END) for one in SquareOAuthDetector.denylist),
        *((one, _TO_ITS_END) for one in StripeDetector.denylist),
        *((one, _END) for one in TelegramBotTokenDetector.denylist),
        *((one, _END) for one in TwilioKeyDetector.denylist),
    ]
    return (
        *((re.compile(f"{_BEGIN}(?:{own})"), 0) for own in _OWN_FORMATS),
        *(
            (re.compile(f"{_BEGIN}(?:{one.pattern}){rest}", one.flags & re.IGNORECASE), 0)
            for one, rest in begun
        ),
        *((_run(one.pattern, r"[A-Za-z0-9_.=-]*"), 0) for one in JwtTokenDetector.denylist),
        *((_run(one.pattern, _TO_ITS_END), 0) for one in OpenAIDetector.denylist),
        # What comes before these secrets is not part of them.
        (re.compile(r"_authToken=\s*([A-Za-z0-9_-]{36,})"), 1),
        (secret_key, 1),
        *((one, 1) for one in BasicAuthDetector.denylist),
    )


def _run(pattern: str, rest: str) -> re.Pattern[str]:
    return re.compile(f"{_BEGIN_RUN}(?:{pattern}){rest}")


def may_hold_secret(text: str) -> bool:
    """False only where no format would be found; a cheap look at all of a statement's text."""
    return any(
        anchor in text and (pattern is None or pattern.search(text) is not None)
        for anchor, pattern in _ANCHORS
    )


def mask_text(text: str) -> str:
    """`text` with each secret replaced by what its kind is known by and MASK; the same if it has none."""
    return _mask(text) if may_hold_secret(text) else text


# A commit's message is its content, its link text and the text that closing words are read from.
@lru_cache(maxsize=256)
def _mask(text: str) -> str:
    masked = _PRIVATE_KEY.sub(rf"\1{MASK}", text) if "PRIVATE KEY" in text else text
    for pattern, group in _formats():
        masked = pattern.sub(partial(_replaced, group=group), masked)
    return masked


def _replaced(found: re.Match[str], group: int) -> str:
    secret = found[group]
    if not secret or _HEXADECIMAL.fullmatch(secret) or not _is_token(secret):
        return found[0]
    prefix = _PUBLIC_PREFIX.match(secret)
    shown = f"{prefix[0] if prefix else ''}{MASK}"
    start = found.start()
    return f"{found[0][: found.start(group) - start]}{shown}{found[0][found.end(group) - start :]}"


def _is_token(secret: str) -> bool:
    """Whether what looks like a JSON Web Token is one."""
    from detect_secrets.plugins.jwt import JwtTokenDetector

    return not secret.startswith("eyJ") or JwtTokenDetector.is_formally_valid(
        ".".join(secret.split(".")[:2])
    )


# Fields that hold keys, ids and names of kinds, and what settings match branches and paths by.
_NOT_TEXT = frozenset(
    {
        *(
            "key",
            "aliases",
            "source_id",
            "source",
            "source_type",
            "type",
            "id",
            "role",
            "extractor",
        ),
        *("method", "state_type", "value", "branch", "paths", "scope", "occurrence", "email"),
        *("resource_key", "resource_id", "installation_id", "alternatives", "via", "kind"),
        *("subject_kind", "subject_id", "change", "series", "event_id"),
    }
)


_NO_TEXT = frozenset({type(None), bool, int, float, datetime})


def mask(reading: _T) -> _T:
    """A reading, route or any value of `domain.events`, with its texts masked.

    The same object where nothing is to be masked. Names of fields in mappings are left alone.
    """
    texts: list[str] = []
    _gather(reading, texts)
    return _masked(reading) if may_hold_secret("\n".join(texts)) else reading


@cache
def _text_fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.name not in _NOT_TEXT)


def _gather(value: Any, texts: list[str]) -> None:
    # By exact kinds first: asking a protocol of every value took half of the time.
    kind = type(value)
    if kind is str:
        texts.append(value)
    elif kind is tuple or kind is list:
        for one in value:
            _gather(one, texts)
    elif isinstance(value, dict):
        for one in value.values():
            _gather(one, texts)
    elif kind not in _NO_TEXT and is_dataclass(kind):
        for name in _text_fields(kind):
            _gather(getattr(value, name), texts)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {key: _masked(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_masked(one) for one in value)
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        changed = {name: _masked(getattr(value, name)) for name in _text_fields(value.__class__)}
        return replace(value, **changed)
    return value
