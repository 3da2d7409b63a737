"""Finds references in a text: numbers, addresses and identifiers of entities, with their positions.

`written_relations.py` decides the relation from the words around a reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lightfast_pipelines.domain import key_categories, keys
from lightfast_pipelines.domain.events import TextScope, Thing
from lightfast_pipelines.domain.identifiers import find_identifiers

# GitHub cuts long titles with an ellipsis, also in the middle of a number.
_NUMBER = re.compile(r"#([1-9]\d{0,8})(?!\w)(?!\.\d)(?!…)")
_QUALIFIER = re.compile(r"[\w./@-]{1,140}$")
# An enterprise with managed users adds its short name to their logins: `ann_acme`.
_REPOSITORY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9_.-]{1,100}$")
_GH = re.compile(r"(?<![\w/-])(?:GH|gh)-([1-9]\d{0,8})(?!\w)")
_URL = re.compile(
    r"(?:https?://|(?<![\w./@:-])(?=(?:www\.)?github\.com/))(?P<host>[\w.-]+)/(?P<api>(?:api/v3/)?repos/)?(?P<repository>[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9_.-]{1,100})/"
    r"(?:(?:issues|(?P<pull>pulls?)|discussions)/(?P<number>[1-9]\d{0,8})"
    r"(?:/commits/(?P<pull_sha>[0-9a-f]{7,40}))?"
    r"|(?P<commit>commits?)/(?P<sha>[0-9a-f]{7,40}))(?!\w)",
    re.IGNORECASE,
)
# What every such address contains, which is found at once.
_IN_URL = re.compile(r"/(?:issues|pulls?|discussions|commits?)/[0-9a-f]", re.IGNORECASE)
_LINK_TEXT = re.compile(r"\[(?:[\w./-]{0,140}#|GH-)\d{1,9}\]\($", re.IGNORECASE)
_IN_LINK_TEXT = re.compile(r"[^\[\]\n]{0,200}\]\(|</a>")


@dataclass(frozen=True, slots=True)
class TextReference:
    """A span of the text and what it names; `thing` is None if that cannot be known."""

    start: int
    end: int
    thing: Thing | None
    kind: str  # number, url, commit, identifier; plain, unlikely or address for a candidate

    @property
    def is_candidate(self) -> bool:
        return self.kind in ("plain", "unlikely", "address")


def _number(
    scope: TextScope | None, repository: str | None, number: str, host: str | None = None
) -> Thing | None:
    """A stub for an issue, pull request or discussion; without `repository` it is the text's own."""
    home = scope.host if scope is not None else keys.GITHUB
    host = host or home
    same = scope is not None and (
        repository is None or (host == home and repository.lower() == scope.repository_name.lower())
    )
    if scope is not None and same:
        repository = scope.repository_name
    if repository is None:
        return None
    return Thing(
        key=keys.github_number_by_name(repository, number, host),
        name=f"{repository}#{number}",
        url=f"https://{host}/{repository}/issues/{number}",
        aliases=(keys.github_number_by_id(scope.repository_id, number),) if scope and same else (),
    )


def commit_named(sha: str, url: str | None = None) -> Thing:
    """The commit, or a stub for the commit whose id begins with these digits."""
    if len(sha) == 40:
        return Thing(key=keys.github_commit(sha), url=url)
    return Thing(key=keys.github_short_sha(sha), name=sha.lower(), url=url)


def _numbers(text: str, scope: TextScope | None) -> Iterator[TextReference]:
    for match in _NUMBER.finditer(text):
        start = match.start()
        before = text[start - 1] if start else " "
        if before in "&#=?@/%":  # an HTML entity, a fragment, a query
            continue
        repository = None
        if before.isalnum() or before in "_.-":
            qualifier = _QUALIFIER.search(text, max(0, start - 140), start)
            name = qualifier[0] if qualifier else ""
            if scope is not None and name.lower() in scope.repository_name.lower().split("/"):
                repository = scope.repository_name  # "starlette#12", as people write it
            elif _REPOSITORY.match(name) and not name.endswith("-"):
                repository = name
            else:
                continue
            start -= len(name)
        elif scope is not None and not scope.has_numbers:
            continue
        if _IN_LINK_TEXT.match(text, match.end()):  # the link's address decides
            continue
        yield TextReference(start, match.end(), _number(scope, repository, match[1]), "number")


def _host_of(match: re.Match[str]) -> str | None:
    """The host of an address in one of GitHub's forms; None for any other address."""
    # Bots use redirect.github.com to quote change logs of other projects without linking to them.
    host = match["host"].lower().removeprefix("www.")
    if not match["api"]:
        is_page = "pulls" not in (match["pull"], "") and match["commit"] != "commits"
        return host if is_page and not host.startswith("api.") else None
    if match["pull"] == "pull" or match["commit"] == "commit":
        return None
    if match["api"].startswith("api/"):
        return host
    return host.removeprefix("api.") if host.startswith("api.") else None


def _urls(text: str, scope: TextScope | None) -> Iterator[TextReference]:
    hosts = {keys.GITHUB, scope.host if scope is not None else keys.GITHUB}
    for match in _URL.finditer(text):
        host = _host_of(match)
        if host is None:
            continue
        sha = match["sha"] or match["pull_sha"]
        is_known = host in hosts
        if sha and is_known:
            yield TextReference(match.start(), match.end(), commit_named(sha, match[0]), "commit")
        elif not sha and (is_known or _can_be_server(host, match["repository"])):
            repository, number = match["repository"], match["number"]
            thing = (
                _number(scope, repository, number, host)
                if is_known
                else _elsewhere(repository, number, host, match[0])
            )
            shown = _LINK_TEXT.search(text, max(0, match.start() - 160), match.start())
            start = shown.start() if shown else match.start()
            yield TextReference(start, match.end(), thing, "url")


def _can_be_server(host: str, repository: str) -> bool:
    """Whether an address at another host may belong to a GitHub Enterprise Server."""
    if host.endswith("github.com") or "." not in host:
        return False
    return not repository.lower().startswith("organizations/")  # Sentry's


def _is_elsewhere(reference: TextReference) -> bool:
    return reference.thing is not None and key_categories.is_candidate(reference.thing.key)


def _elsewhere(repository: str, number: str, host: str, url: str) -> Thing:
    """A candidate for an entity of that server, because other forges' addresses look the same."""
    return Thing(
        key=keys.candidate_number(repository, number, host),
        name=f"{repository}#{number}",
        url=url,
        aliases=(keys.github_number_by_name(repository, number, host),),
    )


def find_references(text: str, scope: TextScope | None) -> list[TextReference]:
    """Every certain reference, by its start; candidates are not included."""
    references: list[TextReference] = []
    if "#" in text:
        references += _numbers(text, scope)
    if scope is not None and scope.has_numbers and ("GH-" in text or "gh-" in text):
        references += (
            TextReference(m.start(), m.end(), _number(scope, None, m[1]), "number")
            for m in _GH.finditer(text)
            if not _IN_LINK_TEXT.match(text, m.end())
        )
    if ("://" in text or "github.com/" in text) and _IN_URL.search(text):
        references += _urls(text, scope)
    if "-" in text or "/issues/" in text:
        identified = [TextReference(*reference) for reference in find_identifiers(text)]
        # `https://sentry.io/acme/shop/issues/7` has the form of an Enterprise Server's address.
        starts = {reference.start for reference in identified}
        references = [
            reference
            for reference in references
            if reference.start not in starts or not _is_elsewhere(reference)
        ]
        references += identified
    references.sort(key=lambda item: (item.start, item.end))
    return references
