"""The text that stands for an entity when it is embedded: what it is, and what happened to it.

Sections come with the most important first, as the embedder may read only the beginning. What does not
fit is left out by whole lines, never cut within one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

RULE_VERSION = 1
"""The version of narratives and of means of vectors: raising it makes all vectors of these layers again."""

LATEST_EVENTS = 3
RELATED_ENTITIES = 5
# About 450 tokens: small models read 512.
MOST_CHARACTERS = 1_800


@dataclass(frozen=True, slots=True)
class NarratedEvent:
    """An observation about the entity; `action` is its source type."""

    at: datetime
    action: str
    title: str


@dataclass(frozen=True, slots=True)
class NarratedEntity:
    """An entity with its first and latest events (the latest first), and what it is related to.

    `related` are (relationship, name); `<-` before the relationship says that it points to this entity.
    """

    category: str
    key: str
    name: str
    first_seen: datetime
    last_seen: datetime
    events: int
    first: NarratedEvent
    latest: Sequence[NarratedEvent]
    related: Sequence[tuple[str, str]]


def narrate(entity: NarratedEntity) -> str:
    """The entity in at most 1,800 characters."""
    text = ""
    for line in _lines(entity):
        longer = f"{text}\n{line}" if text else line[:MOST_CHARACTERS]
        if len(longer) > MOST_CHARACTERS:
            break
        text = longer
    return text


def _lines(entity: NarratedEntity) -> Iterator[str]:
    yield f"{entity.category.replace('_', ' ')}: {entity.name}"
    yield entity.key
    yield ""
    yield f"Began {_event(entity.first)}"
    yield (
        f"Seen from {entity.first_seen:%Y-%m-%d} to {entity.last_seen:%Y-%m-%d}, "
        f"{entity.events} events"
    )
    yield ""
    for event in entity.latest[:LATEST_EVENTS]:
        yield f"Then {_event(event)}"
    yield ""
    for relationship, name in entity.related[:RELATED_ENTITIES]:
        yield f"{relationship.replace('_', ' ')} {name}"


def _event(event: NarratedEvent) -> str:
    return f"{event.at:%Y-%m-%d} {event.action}: {event.title}"
