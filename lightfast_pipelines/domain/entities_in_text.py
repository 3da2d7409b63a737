"""Finds entities that a text names without a link: endpoints, settings, error classes, files, accounts.

Only whole words count; the words around are the evidence. `written_relations.py` finds explicit references.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Mention, Thing
from lightfast_pipelines.domain.markup import cover, excerpt

_ENDPOINT = re.compile(
    r"\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s{1,4}(/[^\s\"'<>`|\\)\]]{1,200})"
)
_CONFIG = re.compile(r"(?<![\w.$-])\$?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w*-])")
_ERROR = re.compile(r"\b[A-Z][A-Za-z0-9]{1,60}?(?:Error|Exception)\b")
_FILE = re.compile(
    r"(?<![\w/.@:~+\\-])(?:\./)?((?:[\w.@+-]{1,80}/){1,12}[\w.+-]{1,100}\."
    r"(?:py|pyi|pyx|ipynb|js|jsx|mjs|cjs|ts|tsx|vue|svelte|go|rs|rb|java|kt|scala|swift|php|c|h|cc|cpp|hpp|cs|m|sh|"
    r"bash|ps1|sql|html|css|scss|less|md|mdx|rst|txt|json|jsonl|yaml|yml|toml|ini|cfg|conf|lock|xml|gradle|proto|"
    r"graphql|tf|dockerfile|csv))(?![\w/])"
)
_LOGIN = re.compile(
    r"(?<![\w.@/+`-])@([A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38})(?![\w/(@-])(?!\.\w)"
)

# What every match of the patterns above contains. They begin with a look at what is before, so they are tried at
# each character; these are found at once.
_IN_ENDPOINT = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s{1,4}/")
_IN_CONFIG = re.compile(r"_(?<=[A-Z0-9]_)[A-Z0-9]")
_IN_FILE = re.compile(r"/[\w.+-]{1,100}\.[a-z]")

_NOISE_CONFIG = re.compile(
    r"^(?:HTTP_\d+\w*|UTF_\d+|ISO_\d\w*|SHA_?\d+|X86_64|AMD_?64|ARM_?64|[A-Z]_[A-Z]|.{61,})$"
)
# Decorators and documentation tags, which look like accounts without backticks around them.
_NO_LOGINS = (
    "property staticmethod classmethod dataclass override abstractmethod cache cached contextmanager wraps overload "
    "fixture skip param params parameter return returns throws throw raises deprecated see since author authors "
    "version todo test before after autowired component input output injectable bean service module media import "
    "keyframes charset font-face supports types babel angular nestjs everyone here channel all me latest next "
    "type typedef example default private public protected ignore ts-ignore ts-expect-error click task op asset job "
    "sensor schedule resource magic line-magic cell-magic register"
)
_NOISE_LOGIN = frozenset(_NO_LOGINS.split())
_MAX_TEXT = 50_000


def _endpoints(text: str) -> Iterator[tuple[re.Match[str], Thing, float]]:
    for match in _ENDPOINT.finditer(text) if _IN_ENDPOINT.search(text) else ():
        path = match[2].split("?", 1)[0].split("#", 1)[0].rstrip(".,;:!*_")
        if any(letter.isalpha() for letter in path):
            yield match, Thing(keys.endpoint(match[1], path), f"{match[1]} {path}"), 0.95


def _configs(text: str) -> Iterator[tuple[re.Match[str], Thing, float]]:
    for match in _CONFIG.finditer(text) if _IN_CONFIG.search(text) else ():
        if not _NOISE_CONFIG.match(match[1]):
            yield match, Thing(keys.config(match[1]), match[1]), 0.85


def _errors(text: str) -> Iterator[tuple[re.Match[str], Thing, float]]:
    for match in _ERROR.finditer(text):
        if not match[0].isupper():
            yield match, Thing(keys.error(match[0]), match[0]), 0.85


def _files(text: str) -> Iterator[tuple[re.Match[str], Thing, float]]:
    for match in _FILE.finditer(text) if _IN_FILE.search(text) else ():
        path = match[1]
        first = path.split("/", 1)[0]
        if first.startswith("www.") or first.endswith((".com", ".org", ".io", ".net", ".dev")):
            continue  # an address without its scheme
        if ".." not in path and any(letter.isalpha() for letter in first):
            yield match, Thing(keys.file(path), path), 0.8


def _logins(text: str, host: str) -> Iterator[tuple[re.Match[str], Thing, float]]:
    if _LOGIN.search(text) is None:
        return
    for match in _LOGIN.finditer(cover(text)):
        if match[1].lower() not in _NOISE_LOGIN and not match[1].isdigit():
            yield match, Thing(keys.github_user_by_login(match[1], host), f"@{match[1]}"), 0.8


def find_entities(
    text: str, *, logins: bool = False, host: str = keys.GITHUB
) -> tuple[Mention, ...]:
    """Mentions with role `text`, each key once, ordered by kind and position.

    `logins` is for texts written on GitHub (at `host`), where `@name` means an account; a login is not a
    stable id, so it makes a stub. Ignored: services (a word alone does not identify one), absolute paths
    (they belong to a machine) and files without a folder (`Node.js`).
    """
    text = text[:_MAX_TEXT]
    finders: list[Callable[[str], Iterator[tuple[re.Match[str], Thing, float]]]] = []
    if "/" in text:
        finders += [_endpoints, _files]
    if "_" in text:
        finders.append(_configs)
    if "Error" in text or "Exception" in text:
        finders.append(_errors)
    if logins and "@" in text:
        finders.append(partial(_logins, host=host))
    mentions: dict[str, Mention] = {}
    for finder in finders:
        for match, thing, confidence in finder(text):
            if thing.key not in mentions:
                evidence = excerpt(text, match.start(), match.end())
                mentions[thing.key] = Mention(thing, "text", evidence, confidence, "text")
    return tuple(mentions.values())
