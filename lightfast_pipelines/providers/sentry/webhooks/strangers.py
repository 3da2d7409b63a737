"""Hides the end users who met an error or wrote a feedback: they are not members of the organization.

We never read the fields that hold their addresses and names. Texts may hold them as well, such as the
message of an exception or a feedback: there a placeholder replaces the address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain.events import Statement, Thing
from lightfast_pipelines.providers.fields import child, children, text
from lightfast_pipelines.providers.sentry.webhooks.titles import is_feedback

HIDDEN = "[address]"
# Keys of an issue's `metadata` that are about the person.
_PRIVATE_METADATA = frozenset({"contact_email", "name", "email", "user", "ip_address"})
_OF_USER = ("email", "ip_address", "username", "ip")
_LEAST = 6  # shorter user names are words that occur in texts for other reasons
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_TAGS = re.compile(r"user(?:\.(?:email|ip|ip_address|username))?|e?mail|ip|client_ip", re.I)
_TAG_KIND = re.compile(r"^(?:email|ip|username|id):")


def without_strangers(statement: Statement, node: Mapping[str, Any]) -> Statement:
    """Hides the addresses that the issue or event names in every text of its statement.

    In a feedback it hides every e-mail address, as people write their own into it.
    """
    addresses = sorted(set(_addresses(node)), key=lambda address: (-len(address), address))
    patterns = [re.escape(address) for address in addresses]
    if is_feedback(node):
        patterns.append(_EMAIL.pattern)
    if not patterns:
        return statement
    private = re.compile("|".join(patterns), re.I)
    if not private.search(f"{statement.title}\n{statement.content}\n{_texts(statement)}"):
        return statement

    def clean(words: str) -> str:
        return private.sub(HIDDEN, words)

    def cleaned(thing: Thing) -> Thing:
        return replace(thing, name=clean(thing.name)) if thing.name else thing

    return replace(
        statement,
        title=clean(statement.title),
        content=clean(statement.content),
        subject=cleaned(statement.subject),
        mentions=tuple(
            replace(mention, thing=cleaned(mention.thing)) for mention in statement.mentions
        ),
        edges=tuple(
            replace(edge, subject=cleaned(edge.subject), object=cleaned(edge.object))
            for edge in statement.edges
        ),
        states=tuple(replace(state, thing=cleaned(state.thing)) for state in statement.states),
        metadata={
            name: clean(value) if isinstance(value, str) else value
            for name, value in statement.metadata.items()
        },
    )


def without_person(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The `metadata` of an issue or event, without anything about the person."""
    return {name: value for name, value in metadata.items() if name not in _PRIVATE_METADATA}


def _texts(statement: Statement) -> str:
    names = [mention.thing.name or "" for mention in statement.mentions]
    return "\n".join([*names, *(v for v in statement.metadata.values() if isinstance(v, str))])


def _addresses(node: Mapping[str, Any]) -> Iterator[str]:
    """Addresses in the fields that are about the end user."""
    user, feedback = child(node, "user"), child(child(node, "contexts"), "feedback")
    metadata = child(node, "metadata")
    addresses = [text(user, name) for name in _OF_USER]
    addresses += [text(child(child(node, "contexts"), "user"), name) for name in _OF_USER]
    addresses += [text(feedback, "contact_email"), text(metadata, "contact_email")]
    for entry in children(child(node, "occurrence"), "evidenceDisplay"):
        if (text(entry, "name") or "").lower() in ("contact_email", "email"):
            addresses.append(text(entry, "value"))
    tags = node.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        pair = (tag.get("key"), tag.get("value")) if isinstance(tag, dict) else tag
        if isinstance(pair, list | tuple) and len(pair) == 2:
            key, value = pair
            if isinstance(key, str) and isinstance(value, str) and _TAGS.fullmatch(key):
                addresses.append(_TAG_KIND.sub("", value))
    for address in addresses:
        if address is not None and _LEAST <= len(address.strip()) <= 254:
            yield address.strip()
