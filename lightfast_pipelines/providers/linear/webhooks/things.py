"""The things that Linear's payloads name: issues with their identifiers, relations and cycles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import child, cut, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.webhooks.event import number_of

_ADDRESS = re.compile(r"https?://linear\.app/([\w-]{1,100})/issue/")
_IDENTIFIER = re.compile(r"[^\W_]{1,20}-\d{1,9}", re.ASCII)
_RELATIONS = {"blocks": "blocks", "duplicate": "duplicates"}


def relation_of(kind: str) -> str:
    """The edge from the issue to the related one, for a relation of this type."""
    return _RELATIONS.get(kind, "references")


def issue_thing(identity: str, issue: Mapping[str, Any], address: str | None = None) -> Thing:
    """An issue that another payload names; `address` is that of a page of the issue."""
    identifier, title = identifier_of(issue, address), text(issue, "title")
    name = cut(" ".join(part for part in (identifier, title) if part), 200) or None
    page = (address or "").partition("#")[0]
    page_url = url(issue, "url") or (page if "/issue/" in page else None)
    return Thing(
        linear_keys.issue(identity), name, page_url, names_of_issue((identifier,), page_url)
    )


def names_of_issue(
    identifiers: Iterable[str | None], address: str | None, branch: str | None = None
) -> tuple[str, ...]:
    """An issue's aliases: its identifiers, each also with its organization, and its branch."""
    match = _ADDRESS.match(address or "")
    names: list[str] = []
    for identifier in dict.fromkeys(identifiers):
        if identifier:
            names.append(keys.linear_issue_by_identifier(identifier))
            if match:
                names.append(keys.linear_issue_by_address(match[1], identifier))
    if branch:
        names.append(keys.linear_issue_by_branch(branch))
    return tuple(names)


def identifier_of(issue: Mapping[str, Any], address: str | None = None) -> str | None:
    """`ENG-12`: the field `identifier`, else team and number, else from the address."""
    identifier = name_of(issue, "identifier")
    if identifier is None:
        key, number = name_of(child(issue, "team"), "key"), number_of(issue, "number")
        identifier = f"{key}-{number}" if key and number is not None else None
    if identifier is None:
        _, _, rest = (url(issue, "url") or address or "").partition("/issue/")
        identifier = rest.partition("/")[0].partition("#")[0]
    return identifier.upper() if _IDENTIFIER.fullmatch(identifier) else None


def cycle_name(cycle: Mapping[str, Any]) -> str | None:
    number = number_of(cycle, "number")
    return name_of(cycle, "name") or (None if number is None else f"Cycle {number}")


def line(label: str, value: str | None) -> str | None:
    """A line of an observation's content; None without a value."""
    return f"{label}: {value}" if value else None


def percent(value: Mapping[str, Any]) -> str | None:
    """`progress`, which is a share of one, in percent."""
    progress = number_of(value, "progress")
    return None if progress is None else f"{round(progress * 100)}%"
