"""From an event of any entity to its observations: created, deleted, one for each changed field.

What an entity is called and points at, and which of its fields mean something, its own module says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Account,
    Filtered,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import Missing, content_of, cut, titled
from lightfast_pipelines.providers.linear.accounts import actor_of
from lightfast_pipelines.providers.linear.webhooks.changes import (
    Field,
    FieldChange,
    changes,
    ids,
    why_nothing,
)
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule

_LONGEST_OLD_TEXT = 1_000


@dataclass(frozen=True, slots=True)
class Described:
    """An entity as a payload shows it: all that its observations have in common.

    `key` is the entity's own, which its ids begin with; `builder.subject` what it is about, which for
    a comment, reaction, attachment or project update is another thing.
    """

    key: str
    builder: LinearStatementBuilder
    title: str
    content: Sequence[str | None]
    author: Account | None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityKind:
    """How one kind of entity is told.

    `thing` begins the source type. `tags` and `weights` are for created, updated and deleted. With
    `edited_by_author` nobody but the author can have made an update that names no actor. `states`
    are what a transition makes of the entity, given the field that changed (None: created, deleted).
    """

    thing: str
    tags: tuple[str, str, str]
    weights: tuple[int, int]
    fields: tuple[Field, ...]
    describe: Callable[[LinearEvent], Described]
    states: Callable[[LinearEvent, Described, str, Field | None, datetime], Sequence[StateChange]]
    edited_by_author: bool = False


def canceled_by_deletion(
    subject: Thing, at: datetime, rank: int, *, was_over: bool
) -> tuple[StateChange, ...]:
    """What was over when it was deleted stays so; anything else ends as canceled."""
    if was_over:
        return ()
    return (StateChange(subject, "status", "canceled", at, rank, "deleted", {"reason": "deleted"}),)


def no_states(
    event: LinearEvent,  # noqa: ARG001
    described: Described,  # noqa: ARG001
    transition: str,  # noqa: ARG001
    changed: Field | None,  # noqa: ARG001
    at: datetime,  # noqa: ARG001
) -> Sequence[StateChange]:
    """For kinds without states."""
    return ()


def rules(event: str, kind: EntityKind) -> Sequence[EventRule]:
    """What becomes of each action on this kind of entity."""
    names = {each for one in kind.fields for each in (one.transition, one.cleared) if each}
    updated = tuple(f"{kind.thing}.{name}" for name in sorted(names))
    note = "one for each changed field that means something; without one it is filtered"
    return (
        EventRule(event, "create", "delivered", (f"{kind.thing}.created",)),
        EventRule(event, "update", "delivered", updated, note),
        EventRule(event, "remove", "delivered", (f"{kind.thing}.deleted",)),
        EventRule(event, "restore", "delivered", (f"{kind.thing}.restored",))
        if "restored" in names
        else EventRule(event, "restore", "filtered", note="it has no trash"),
    )


def moment_id(moment: datetime) -> str:
    """A moment as a part of an id: UTC, in milliseconds, as Linear writes it everywhere."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def read(kind: EntityKind, event: LinearEvent) -> Reading:
    """Raises Missing where the entity has no time or nothing it is about."""
    if event.action == "update":
        return _updated(kind, event)
    described = kind.describe(event)
    if event.action == "create":
        at = event.created_at
        base = statement_of(kind.thing, event, described, "created", at, kind.tags[0])
        return Understood(
            (
                replace(
                    base,
                    source_id=keys.source_id(described.key, "created"),
                    base_significance=kind.weights[0],
                    actor=base.actor or described.author,
                    states=tuple(kind.states(event, described, "created", None, at)),
                ),
            )
        )
    at = event.removed_at
    base = statement_of(kind.thing, event, described, "deleted", at, kind.tags[2])
    states = (
        *kind.states(event, described, "deleted", None, at),
        deletion(Thing(described.key), at),
    )
    return Understood((replace(base, base_significance=kind.weights[1], states=states),))


def _updated(kind: EntityKind, event: LinearEvent) -> Reading:
    if not isinstance(event.payload.get("updatedFrom"), dict):
        raise Missing("updatedFrom")
    found = changes(event.data, event.updated_from, kind.fields)
    if any(change.transition in ("deleted", "restored") for change in found):
        # Linear archives what it trashes: one thing that happened, not two.
        found = [each for each in found if each.transition not in ("archived", "unarchived")]
    if not found:
        return Filtered(why_nothing(event.data, event.updated_from))
    described = kind.describe(event)
    return Understood(tuple(_changed(kind, event, described, change) for change in found))


def _changed(
    kind: EntityKind, event: LinearEvent, described: Described, change: FieldChange
) -> Statement:
    known, transition = change.field, change.transition
    own_time = event.own_time(known.time) if known.time and not change.is_cleared else None
    at = own_time or event.changed_at
    is_deletion = transition == "deleted"
    tag = kind.tags[2] if is_deletion else kind.tags[1]
    base = statement_of(kind.thing, event, described, transition, at, tag)
    actor = base.actor or (described.author if kind.edited_by_author else None)
    states = tuple(kind.states(event, described, transition, known, at))
    if is_deletion or transition == "restored":
        states = (*states, deletion(Thing(described.key), at, is_undone=not is_deletion))
    if is_deletion:  # the same as a `remove` says
        return replace(base, base_significance=kind.weights[1], actor=actor, states=states)
    now, was = known.now(event.data), known.was(change.old)
    value = "none" if change.is_cleared and known.cleared is None else now
    suffix = _suffix(known.label, was, value)
    return replace(
        base,
        title=titled(tag, cut(described.title, 170 - len(suffix)) + suffix),
        content=content_of(_told(known.label, was, value), *described.content),
        base_significance=known.weight,
        actor=actor,
        states=states,
        metadata={
            **base.metadata,
            "changedField": known.label,
            "updatedFrom": {change.name: _kept(change.old)},
        },
    )


def statement_of(
    thing: str, event: LinearEvent, described: Described, transition: str, at: datetime, tag: str
) -> Statement:
    builder = described.builder
    return builder.build(
        source_id=keys.source_id(described.key, transition, moment_id(at)),
        source_type=f"{thing}.{transition}",
        occurred_at=at,
        title=titled(tag, described.title),
        content=content_of(*described.content),
        actor=actor_of(event.payload),
        author=described.author,
        metadata={**event.facts, **described.metadata},
        updated_at=event.last_update,
        part=None if described.key == builder.subject.key else described.key,
    )


def _suffix(label: str, was: str | None, now: str | None) -> str:
    """What changed, in brackets behind the title; the text itself is shown already."""
    if now:
        return f" ({label}: {cut(now, 60)})"
    return f" ({label} was: {cut(was, 60)})" if was else "" if label == "text" else f" ({label})"


def _told(label: str, was: str | None, now: str | None) -> str:
    name = label[0].upper() + label[1:]
    before = f" from {was}" if was else ""
    after = f" to {now}" if now else ""
    return f"{name} changed{before}{after}."


def _kept(old: Any) -> Any:
    """The old value, if it is a plain one: descriptions can be pages, and others anything at all."""
    if isinstance(old, str):
        return cut(old, _LONGEST_OLD_TEXT)
    if old is None or isinstance(old, bool):
        return old
    if isinstance(old, int | float) and abs(old) <= 2**53:
        return old
    return list(ids(old))[:100] if isinstance(old, list) else None
