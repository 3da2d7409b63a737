"""Keeps out what a payload says of whoever met an error or wrote a feedback: none of ours.

Their address and name stand in fields that are never read. They can stand in texts as well, in what an
exception said or in what somebody wrote: there the address gives way to a placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lightfast_pipelines.domain.events import Statement, Thing
from lightfast_pipelines.providers.fields import child, children, text
from lightfast_pipelines.providers.sentry.webhooks.titles import is_feedback

HIDDEN = "[address]"
# Keys of an issue's `metadata` that are about the person.
_PRIVATE_METADATA = frozenset({"contact_email", "name", "email", "user", "ip_address"})
_OF_USER = ("email", "ip_address", "username", "ip")
_LEAST = 6  # shorter user names are words that stand in texts for other reasons
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_TAGS = re.compile(r"user(?:\.(?:email|ip|ip_address|username))?|e?mail|ip|client_ip", re.I)
_TAG_KIND = re.compile(r"^(?:email|ip|username|id):")


def without_strangers(statement: Statement, node: Mapping[str, Any]) -> Statement:
    """The statement with the addresses that its issue or event names hidden in every text.

    In a feedback every e-mail address is hidden, as people write their own into it.
    """
    patterns = [re.escape(found) for found in sorted(set(_addresses(node)), key=_longest_first)]
    if is_feedback(node):
        patterns.append(_EMAIL.pattern)
    if not patterns:
        return statement
    private = re.compile("|".join(patterns), re.I)
    if not private.search(f"{statement.title}\n{statement.content}\n{_texts(statement)}"):
        return statement

    def clean(said: str) -> str:
        return private.sub(HIDDEN, said)

    def named(thing: Thing) -> Thing:
        return replace(thing, name=clean(thing.name)) if thing.name else thing

    return replace(
        statement,
        title=clean(statement.title),
        content=clean(statement.content),
        subject=named(statement.subject),
        mentions=tuple(replace(one, thing=named(one.thing)) for one in statement.mentions),
        edges=tuple(
            replace(one, subject=named(one.subject), object=named(one.object))
            for one in statement.edges
        ),
        states=tuple(replace(one, thing=named(one.thing)) for one in statement.states),
        metadata={
            name: clean(value) if isinstance(value, str) else value
            for name, value in statement.metadata.items()
        },
    )


def without_person(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """An issue's or event's `metadata` without what is about the person."""
    return {name: value for name, value in metadata.items() if name not in _PRIVATE_METADATA}


def _longest_first(found: str) -> tuple[int, str]:
    return -len(found), found


def _texts(statement: Statement) -> str:
    names = [one.thing.name or "" for one in statement.mentions]
    return "\n".join([*names, *(v for v in statement.metadata.values() if isinstance(v, str))])


def _addresses(node: Mapping[str, Any]) -> Iterator[str]:
    """Addresses of the stranger that the payload names as such."""
    user, feedback = child(node, "user"), child(child(node, "contexts"), "feedback")
    metadata = child(node, "metadata")
    found = [text(user, name) for name in _OF_USER]
    found += [text(child(child(node, "contexts"), "user"), name) for name in _OF_USER]
    found += [text(feedback, "contact_email"), text(metadata, "contact_email")]
    for entry in children(child(node, "occurrence"), "evidenceDisplay"):
        if (text(entry, "name") or "").lower() in ("contact_email", "email"):
            found.append(text(entry, "value"))
    tags = node.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        pair = (tag.get("key"), tag.get("value")) if isinstance(tag, dict) else tag
        if isinstance(pair, list | tuple) and len(pair) == 2:
            key, value = pair
            if isinstance(key, str) and isinstance(value, str) and _TAGS.fullmatch(key):
                found.append(_TAG_KIND.sub("", value))
    for address in found:
        if address is not None and _LEAST <= len(address.strip()) <= 254:
            yield address.strip()
