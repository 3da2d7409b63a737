"""What a person means who names one thing: `acme/shop#43`, `#43`, `CHK-12`, a commit, a tag, an address.

The rules for references in texts apply (`references.py`, `identifiers.py`), but the whole text has to be
the name. `store/things.py` looks the names up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import TextScope, Thing
from lightfast_pipelines.domain.identifiers import find_candidates
from lightfast_pipelines.domain.references import find_references

# Git accepts four digits; shorter ones are rather a word.
_SHA = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
# A number of an issue is shorter than what a text calls a commit.
_NUMBER = re.compile(r"[1-9]\d{0,5}")
_ADDRESS = re.compile(r"https?://|[\w-]+(?:\.[\w-]+)+/", re.IGNORECASE)
_ENDPOINT = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+(/\S*)", re.IGNORECASE)
_PAGE = re.compile(
    r"(?:https?://)?(?P<host>[\w.-]+\.[\w-]+)/(?P<repository>[\w-]+/[\w.-]+?)(?:\.git)?"
    r"(?:/(?:releases/tag/(?P<tag>[^?#]+)|tree/(?P<ref>[^?#]+)|blob/[^/]+/(?P<path>[^?#]+)))?/?(?:[?#].*)?"
)


class Fit(IntEnum):
    """How well a name fits. Only things with the best fit are meant."""

    KEY = 0
    REFERENCE = 1
    COMMIT = 2
    RELEASE = 3
    TAG = 4
    BRANCH = 5
    PART = 6
    """A file, an endpoint, a service, by its own name."""
    NAME = 7


@dataclass(frozen=True, slots=True)
class Name:
    """A key or an alias that the text may stand for."""

    fit: Fit
    key: str


def names_anywhere(text: str) -> list[Name]:
    """The names that a text has in every workspace, the best first."""
    names = [Name(Fit.KEY, keys.bounded(text))]
    names += (Name(Fit.REFERENCE, key) for key in _referred(text, None))
    if text.startswith("dpl_"):
        names.append(Name(Fit.REFERENCE, keys.vercel_deployment_page(text)))
    if is_sha(text):
        commit = keys.github_commit if len(text) == 40 else keys.github_short_sha
        names.append(Name(Fit.COMMIT, commit(text)))
    if endpoint := _ENDPOINT.fullmatch(text):
        names.append(Name(Fit.PART, keys.endpoint(endpoint[1], endpoint[2])))
    page = _PAGE.fullmatch(text)
    path = page["path"] if page and page["path"] else text.removeprefix("./")
    names += (
        Name(Fit.PART, make(path if make is keys.file else text))
        for make in (keys.file, keys.service, keys.config, keys.error)
    )
    return list(dict.fromkeys(names))


def names_in(text: str, repository: TextScope, key: str) -> list[Name]:
    """The further names that it has where `repository`, an entity with this key, is known."""
    number = f"#{text}" if _NUMBER.fullmatch(text) else text
    names = [Name(Fit.REFERENCE, each) for each in _referred(number, repository)]
    full_name = repository.repository_name.lower()
    page = _PAGE.fullmatch(text)
    if page is not None and _is_page_of(page, repository.host, full_name):
        tag, branch = page["tag"] or page["ref"], page["ref"]
        is_repository = tag is None and not page["path"]
    else:
        tag = branch = None if is_address(text) else text
        is_repository = text.lower() == full_name
        if text.lower() == full_name.rpartition("/")[2]:
            names.append(Name(Fit.NAME, key))
    if is_repository:
        names.append(Name(Fit.REFERENCE, key))
    if tag is not None:
        names.append(Name(Fit.RELEASE, keys.github_release(repository.repository_id, tag)))
        names.append(Name(Fit.TAG, keys.github_tag(repository.repository_id, tag)))
    if branch is not None:
        names.append(Name(Fit.BRANCH, keys.github_branch(repository.repository_id, branch)))
    return names


def is_sha(text: str) -> bool:
    """Whether the text may be a commit's id or its beginning."""
    return _SHA.fullmatch(text) is not None and _NUMBER.fullmatch(text) is None


def is_address(text: str) -> bool:
    return _ADDRESS.match(text) is not None


def _is_page_of(page: re.Match[str], host: str, full_name: str) -> bool:
    """Whether an address that _PAGE matches is in the repository with this name, in lower case."""
    of_page = page["host"].lower().removeprefix("www."), page["repository"].lower()
    return of_page == (host, full_name)


def _referred(text: str, scope: TextScope | None) -> Iterator[str]:
    """The keys and aliases of the references that the text consists of."""
    is_link = is_address(text) and not any(map(str.isspace, text))
    references: Sequence[tuple[int, int, Thing | None]] = [
        *((each.start, each.end, each.thing) for each in find_references(text, scope)),
        *((each.start, each.end, each.thing) for each in find_candidates(text)),
    ]
    for start, end, thing in references:
        # What follows an address is a view of the same page: `/files`, `?tab=checks`.
        if thing is not None and start == 0 and (end == len(text) or is_link):
            yield thing.key
            yield from thing.aliases
