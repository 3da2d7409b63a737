"""Turns an event of any entity into observations: created, deleted, or one for each changed field.

The entity's own module describes it: its title, what it points at, and which of its fields matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

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
from lightfast_pipelines.providers.fields import Missing, content_of, cut, time, titled
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
    """An entity as a payload shows it: what its observations have in common.

    `key` is the entity's own key, which starts its source ids. `builder.subject` is what the
    observations are about: for a comment, reaction, attachment or project update that is another thing.
    """

    key: str
    builder: LinearStatementBuilder
    title: str
    content: Sequence[str | None]
    author: Account | None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinearTransition:
    """What happened to an entity and when; `field` is the label of the field that changed, if one did."""

    name: str
    at: datetime
    field: str | None = None


@dataclass(frozen=True, slots=True)
class EntityKind:
    """How one kind of entity becomes observations.

    `thing` starts the source type. `tags` are for created, updated and deleted, `weights` for created
    and deleted. With `edited_by_author`, only the author can have made an update that names no actor.
    `states` returns the states that a transition gives to the subject, from the entity's data.
    """

    thing: str
    tags: tuple[str, str, str]
    weights: tuple[int, int]
    fields: tuple[Field, ...]
    describe: Callable[[LinearEvent], Described]
    states: Callable[[Mapping[str, Any], Thing, LinearTransition], Sequence[StateChange]] | None = (
        None
    )
    edited_by_author: bool = False

    def states_of(
        self, event: LinearEvent, described: Described, transition: LinearTransition
    ) -> Sequence[StateChange]:
        if self.states is None:
            return ()
        return self.states(event.data, described.builder.subject, transition)


def canceled_by_deletion(
    subject: Thing, at: datetime, rank: int, *, was_over: bool
) -> tuple[StateChange, ...]:
    """An entity that had already ended keeps its status; any other ends as canceled."""
    if was_over:
        return ()
    return (StateChange(subject, "status", "canceled", at, rank, "deleted", {"reason": "deleted"}),)


def rules(event: str, kind: EntityKind) -> Sequence[EventRule]:
    """What becomes of each action on this kind of entity."""
    names = {name for each in kind.fields for name in (each.transition, each.cleared) if name}
    updated = tuple(f"{kind.thing}.{name}" for name in sorted(names))
    note = "one for each relevant field that changed; without one it is filtered"
    return (
        EventRule(event, "create", "delivered", (f"{kind.thing}.created",)),
        EventRule(event, "update", "delivered", updated, note),
        EventRule(event, "remove", "delivered", (f"{kind.thing}.deleted",)),
        EventRule(event, "restore", "delivered", (f"{kind.thing}.restored",))
        if "restored" in names
        else EventRule(event, "restore", "filtered", note="this kind has no trash"),
    )


def moment_id(moment: datetime) -> str:
    """A moment as a part of an id: UTC, in milliseconds, as Linear writes it."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def read(kind: EntityKind, event: LinearEvent) -> Reading:
    """Raises Missing if the payload lacks a time or the thing that the entity is about."""
    if event.action == "update":
        return _updated(kind, event)
    described = kind.describe(event)
    if event.action == "create":
        at = event.created_at
        base = statement_of(kind.thing, event, described, "created", at, kind.tags[0])
        created = replace(
            base,
            source_id=keys.source_id(described.key, "created"),
            base_significance=kind.weights[0],
            actor=base.actor or described.author,
            states=tuple(kind.states_of(event, described, LinearTransition("created", at))),
        )
        return Understood((created,))
    at = event.removed_at
    base = statement_of(kind.thing, event, described, "deleted", at, kind.tags[2])
    states = (
        *kind.states_of(event, described, LinearTransition("deleted", at)),
        deletion(Thing(described.key), at),
    )
    return Understood((replace(base, base_significance=kind.weights[1], states=states),))


def _updated(kind: EntityKind, event: LinearEvent) -> Reading:
    if not isinstance(event.payload.get("updatedFrom"), dict):
        raise Missing("updatedFrom")
    changed = changes(event.data, event.updated_from, kind.fields)
    if any(change.transition in ("deleted", "restored") for change in changed):
        # Linear also archives what it trashes: that is one event, not two.
        changed = [
            change for change in changed if change.transition not in ("archived", "unarchived")
        ]
    if not changed:
        return Filtered(why_nothing(event.data, event.updated_from))
    described = kind.describe(event)
    return Understood(tuple(_changed(kind, event, described, change) for change in changed))


def _changed(
    kind: EntityKind, event: LinearEvent, described: Described, change: FieldChange
) -> Statement:
    changed_field, transition = change.field, change.transition
    own_time = (
        event.own_time(changed_field.time) if changed_field.time and not change.is_cleared else None
    )
    at = own_time or event.changed_at
    is_deletion = transition == "deleted"
    tag = kind.tags[2] if is_deletion else kind.tags[1]
    base = statement_of(kind.thing, event, described, transition, at, tag)
    actor = base.actor or (described.author if kind.edited_by_author else None)
    states = tuple(
        kind.states_of(event, described, LinearTransition(transition, at, changed_field.label))
    )
    if is_deletion or transition == "restored":
        states = (*states, deletion(Thing(described.key), at, is_undone=not is_deletion))
    if is_deletion:  # equal to what a `remove` yields
        return replace(base, base_significance=kind.weights[1], actor=actor, states=states)
    now = changed_field.now(event.data) if changed_field.now else None
    was = changed_field.was(change.old) if changed_field.was else None
    value = "none" if change.is_cleared and changed_field.cleared is None else now
    suffix = _suffix(changed_field.label, was, value)
    return replace(
        base,
        title=titled(tag, cut(described.title, 170 - len(suffix)) + suffix),
        content=content_of(_sentence(changed_field.label, was, value), *described.content),
        base_significance=changed_field.weight,
        actor=actor,
        states=states,
        metadata={
            **base.metadata,
            "changedField": changed_field.label,
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
        written_at=_written_at(thing, event, transition, at),
    )


def _written_at(thing: str, event: LinearEvent, transition: str, at: datetime) -> datetime | None:
    """An issue's text is as old as the issue, unless it changed now."""
    if thing != "issue" or transition in ("title-changed", "description-changed"):
        return None
    return time(event.data, "createdAt") or at


def _suffix(label: str, was: str | None, now: str | None) -> str:
    """What changed, in brackets after the title, which already shows the text of a comment."""
    if now:
        return f" ({label}: {cut(now, 60)})"
    return f" ({label} was: {cut(was, 60)})" if was else "" if label == "text" else f" ({label})"


def _sentence(label: str, was: str | None, now: str | None) -> str:
    name = label[0].upper() + label[1:]
    before = f" from {was}" if was else ""
    after = f" to {now}" if now else ""
    return f"{name} changed{before}{after}."


def _kept(old: Any) -> Any:
    """The old value, shortened: a description can fill pages, and other values may be anything."""
    if isinstance(old, str):
        return cut(old, _LONGEST_OLD_TEXT)
    if old is None or isinstance(old, bool):
        return old
    if isinstance(old, int | float) and abs(old) <= 2**53:
        return old
    return list(ids(old))[:100] if isinstance(old, list) else None
