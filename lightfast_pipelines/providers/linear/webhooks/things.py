"""The things that Linear's payloads name: issues with their identifiers, cycles, lines of content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Thing,
)
from lightfast_pipelines.providers.fields import child, cut, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.webhooks.event import number_of

_ADDRESS = re.compile(r"https?://linear\.app/([\w-]{1,100})/issue/")
_RELATIONS = {"blocks": "blocks", "duplicate": "duplicates"}


def relation_of(kind: str) -> str:
    """The edge that a relation of this type makes, from the issue to the related one."""
    return _RELATIONS.get(kind, "references")


def issue_thing(identity: str, issue: Mapping[str, Any], address: str | None = None) -> Thing:
    """An issue that another payload names; `address` is that of a page of the issue."""
    identifier, title = identifier_of(issue, address), text(issue, "title")
    name = cut(" ".join(part for part in (identifier, title) if part), 200) or None
    page = (address or "").partition("#")[0]
    own = url(issue, "url") or (page if "/issue/" in page else None)
    return Thing(linear_keys.issue(identity), name, own, names_of_issue((identifier,), own))


def names_of_issue(
    identifiers: Iterable[str | None], address: str | None, branch: str | None = None
) -> tuple[str, ...]:
    """What an issue answers to: its identifiers, each also as its organisation's, and its branch."""
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
    """`ENG-12`: as it says so itself, else by team and number, else from its address."""
    found = name_of(issue, "identifier")
    if found is None:
        key, number = name_of(child(issue, "team"), "key"), number_of(issue, "number")
        found = f"{key}-{number}" if key and number is not None else None
    if found is None:
        _, _, rest = (url(issue, "url") or address or "").partition("/issue/")
        found = rest.partition("/")[0].partition("#")[0]
    return found.upper() if _is_identifier(found) else None


def _is_identifier(found: str) -> bool:
    key, _, number = found.rpartition("-")
    return (
        key.isalnum()
        and key.isascii()
        and len(key) <= 20
        and number.isdecimal()
        and len(number) < 10
    )


def cycle_name(cycle: Mapping[str, Any]) -> str | None:
    number = number_of(cycle, "number")
    return name_of(cycle, "name") or (None if number is None else f"Cycle {number}")


def line(label: str, value: str | None) -> str | None:
    """A line of an observation's content; None where there is nothing to say."""
    return f"{label}: {value}" if value else None


def percent(value: Mapping[str, Any]) -> str | None:
    """`progress`, a share of one."""
    progress = number_of(value, "progress")
    return None if progress is None else f"{round(progress * 100)}%"
