"""Secrets without a format, which the words before them name: `password=`, `Bearer`, `user:...@host`.

A text is never a secret merely because it looks random: a commit's sha stays.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator

# Names before a secret. After `:` there may be ordinary words as well.
_NAME = (
    r"(?P<name>passw(?:or)?d|passwd|passphrase|pwd|secret|token|user_session|_auth|(?:api|access|private|auth"
    r"|account|signing|encryption|client|admin|master|shared|deploy|license|webhook|service|storage)"
    r"[_-]?(?:key|secret|token)|credentials?)"
)
_MORE_OF_THE_NAME = (
    r"(?:[_-](?:key|hash|base|value|id|access|private|production|prod|staging|live|dev|test"
    r"|[0-9]{1,3})){0,3}"
)
_ASSIGNED = re.compile(
    _NAME
    + _MORE_OF_THE_NAME
    + r"(?P<sign>(?:\\?[\"'`])?[ \t]{0,4}(?:=>|:=|==?|:|%3[dD])[ \t]{0,4}(?:\\?[\"'`])?)"
    r"(?P<value>[^\s\"'`\\<>&,;(){}\[\]|]{4,})(?P<after>.?)",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"--"
    + _NAME
    + r"(?P<sign>[ \t]{1,4}(?:\\?[\"'`])?)(?P<value>[^\s\"'`\\<>&,;(){}\[\]|-][^\s\"'`\\]{5,})(?P<after>.?)",
    re.IGNORECASE,
)
_AUTHORIZED = re.compile(
    r"\b(?:bearer|geniekey|ssws|flyv1|authorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?[a-z][a-z0-9-]{1,20})"
    r"[ \t]{1,4}(?P<value>(?=[A-Za-z._~+/=-]{0,64}[0-9])[A-Za-z0-9._~+/=-]{16,})",
    re.IGNORECASE,
)
_BASIC = re.compile(r"\bbasic[ \t]{1,4}(?P<value>[A-Za-z0-9+/]{8,4096}={0,2})", re.IGNORECASE)
# `scheme://user:password@host`; a password may hold an `@`.
_IN_ADDRESS = re.compile(
    r"://[^\s/:@\"'`<>\\]{0,256}:(?P<value>(?!x-oauth-basic@)[^\s/\"'`<>\\]{1,256})@(?=[A-Za-z0-9\[$*])"
)
# A token in place of a user. 32 hexadecimal digits are the public key of a Sentry project.
_ONLY_IN_ADDRESS = re.compile(
    r"://(?P<value>(?![0-9a-f]{32}[:@])(?=[A-Za-z_-]{0,64}[0-9])(?=[0-9]{0,64}[A-Za-z])[A-Za-z0-9_-]{24,256})"
    r"(?::(?:x-oauth-basic)?)?@"
)
# Signed addresses, which give access to anyone who has them.
_SIGNED = re.compile(
    r"[?&;](?:sig|signature|x-amz-signature|x-goog-signature|x-amz-security-token)="
    r"(?P<value>[A-Za-z0-9%+/=_.~-]{24,})",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"(?:\bsshpass[ \t]{1,4}-p[ \t]{0,4}|\bmysql[a-z]{0,12}\b[^\n|;]{0,80}?[ \t]-p"
    r"|[ \t](?:-u|--user)(?:[ \t]{1,2}|=)[\"']?[\w.@+-]{1,64}:"
    r"|\blogin\s{1,4}\S{1,100}\s{1,4}password\s{1,4})[\"']?(?P<value>[^\s\"'`\\]{6,256})",
    re.IGNORECASE,
)
_DEFINED = re.compile(
    r"\bdefine\([ \t]{0,4}([\"'])[A-Z_]{0,40}(?:KEY|SALT|PASSWORD|SECRET|TOKEN)[A-Z_]{0,20}\1[ \t]{0,4},"
    r"[ \t]{0,4}[\"'](?P<value>[^\"'\n]{8,256})"
)
_NAMED = ("passw", "passp", "pwd", "secret", "token", "key", "credential", "user_session", "_auth")
_OF_A_PASSWORD = ("passw", "passp", "pwd")
# Code and placeholders in place of a value: `password=self.password`, `token=$TOKEN`, `secret=...`.
_NO_VALUE = re.compile(
    r"[*.…@]|[$%](?:\w*%?$|\W)|#[0-9a-f]*$|![A-Za-z]*$|-[a-z-](?!.{30})|[^…*]*(?:…|\*\*)|x+$"
    r"|(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*$",
    re.IGNORECASE,
)
# Base64 that happens to begin with `/` looks like this; no part of a path does.
_NO_PART_OF_A_PATH = re.compile(
    r"(?=[A-Za-z+]{0,24}[0-9])(?=[a-z0-9+]{0,24}[A-Z])(?=[A-Z0-9+]{0,24}[a-z])[A-Za-z0-9+]{10,}"
)
# Capitals closer together than in the names of programs, where one comes every four letters or so.
_CAPITALS_EVERYWHERE = re.compile(r"(?:[a-z]{0,3}[A-Z]){4}[A-Za-z]{0,16}$")
# Words about secrets, and placeholders of examples.
_SAYS_SO = re.compile(
    r"default|example|change|hidden|redact|masked|required|optional|your", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"pass(?:w|phrase)|secret|token|value|user|config|setting|field|input|string|undefined"
    r"|none$|null$|nil$|true$|false$",
    re.IGNORECASE,
)
_LONGEST_PLACEHOLDER = 24
_LOWER = re.compile(r"[a-z]{8,}")


def may_be_spoken(text: str) -> bool:
    """Whether the text holds a secret that words name."""
    return next(spoken_secrets(text), None) is not None


def spoken_secrets(text: str) -> Iterator[tuple[int, int]]:
    """The spans that the words before them call a password, a token or a key."""
    lowered = text.lower()
    for words, pattern, is_secret in _SPOKEN:
        if any(word in lowered for word in words):
            for match in pattern.finditer(text):
                if is_secret(match):
                    yield match.span("value")


def _is_no_word(value: str) -> bool:
    has_digit = any(map(str.isdigit, value)) or _CAPITALS_EVERYWHERE.match(value) is not None
    return has_digit and any(map(str.isalpha, value))


def _is_name_and_password(encoded: str) -> bool:
    try:
        decoded = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except ValueError:
        return False
    return ":" in decoded and decoded.isprintable()


def _is_kept_secret(match: re.Match[str]) -> bool:
    value = match["value"].rstrip(".:!?")
    if not value or match["after"] in ("(", "[", "{") or _NO_VALUE.match(value):
        return False
    if value[0] in "/~" and _NO_PART_OF_A_PATH.search(value) is None:
        return False
    is_password = match["name"].lower().startswith(_OF_A_PASSWORD)
    has_digit = any(map(str.isdigit, value))
    is_short = len(value) <= _LONGEST_PLACEHOLDER
    if is_short and _SAYS_SO.search(value):
        return False
    if is_short and not (is_password and has_digit) and _PLACEHOLDER.search(value):
        return False
    if not is_password:
        return len(value) >= 16 and _is_no_word(value)
    is_quoted = match["sign"][-1] in "\"'`"
    if ":" in match["sign"] and not is_quoted:
        return len(value) >= 6 and _is_no_word(value)
    return (
        is_quoted
        or has_digit
        or re.fullmatch(r"[A-Za-z_]\w*", value) is None
        or _LOWER.fullmatch(value) is not None
        or _CAPITALS_EVERYWHERE.match(value) is not None
    )


def _is_password_of_address(match: re.Match[str]) -> bool:
    return _NO_VALUE.match(match["value"]) is None


def _is_password_of_command(match: re.Match[str]) -> bool:
    return _is_no_word(match["value"]) and _NO_VALUE.match(match["value"]) is None


def _is_basic(match: re.Match[str]) -> bool:
    return _is_name_and_password(match["value"])


def _always(_: re.Match[str]) -> bool:
    return True


# (words of which the text must contain one, the pattern to search then, a test of each match)
_SPOKEN: tuple[tuple[tuple[str, ...], re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    (_NAMED, _ASSIGNED, _is_kept_secret),
    (("--",), _OPTION, _is_kept_secret),
    (("bearer", "authorization", "geniekey", "ssws", "flyv1"), _AUTHORIZED, _always),
    (("basic",), _BASIC, _is_basic),
    (("sig=", "signature=", "-token="), _SIGNED, _always),
    (("://",), _IN_ADDRESS, _is_password_of_address),
    (("://",), _ONLY_IN_ADDRESS, _always),
    (("define(",), _DEFINED, _always),
    (("sshpass", "mysql", " -u", "--user", "login"), _COMMAND, _is_password_of_command),
)
