"""What an update changed: `updatedFrom` against the entity as it is now.

Old payloads name in `updatedFrom` fields that were and are null, and new ones name order and
bookkeeping: only what is known here and differs is a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.providers.fields import name_of
from lightfast_pipelines.providers.linear.webhooks.event import number_of

_LONGEST_VALUE = 200
_MOST_NAMED = 8

Show = Callable[[Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Field:
    """A field whose change means something.

    `names` are the names it has had on the wire; `transition` what its change is called, `cleared`
    what it is called where the field is empty now. `now` shows the new value from the entity, `was`
    the old one as `updatedFrom` has it (an id says nothing to a reader: None). `time` is the field
    of the transition's own time, for those that have one.
    """

    label: str
    names: tuple[str, ...]
    transition: str
    weight: int
    now: Show = lambda data: None  # noqa: ARG005
    was: Callable[[Any], str | None] = lambda old: None  # noqa: ARG005
    cleared: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One change of one field; `old` is what `updatedFrom` says."""

    field: Field
    transition: str
    is_cleared: bool
    name: str
    old: Any
    new: Any


def plain(name: str) -> Show:
    """Shows a text or number as it stands."""
    return lambda data: shown(data.get(name))


def shown(value: Any) -> str | None:
    """A short text for a text or number, None for anything else."""
    if isinstance(value, str):
        return " ".join(value[:_LONGEST_VALUE].split()) or None
    number = number_of({"value": value}, "value")
    return None if number is None else str(number)


def day(value: Any) -> str | None:
    """The date of a time or date (`2024-02-14T00:00:00.000Z`)."""
    return value[:10] if isinstance(value, str) and value[:4].isdigit() else None


def changes(
    data: Mapping[str, Any], updated_from: Mapping[str, Any], known: Sequence[Field]
) -> list[FieldChange]:
    """In the order of `known`, each field once whatever it is called."""
    found = []
    for field in known:
        for name in field.names:
            if name in updated_from and _differ(updated_from[name], data.get(name)):
                is_cleared = all(_is_empty(data.get(each)) for each in field.names)
                transition = field.cleared if is_cleared and field.cleared else field.transition
                old, new = updated_from[name], data.get(name)
                found.append(FieldChange(field, transition, is_cleared, name, old, new))
                break
    return found


def why_nothing(data: Mapping[str, Any], updated_from: Mapping[str, Any]) -> str:
    """The reason for an update without a change that means something."""
    names = [name for name, old in updated_from.items() if _differ(old, data.get(name))]
    return "nothing that means something changed" + _listed(
        sorted(name for name in names if name != "updatedAt" and name.isidentifier())
    )


def _listed(names: Iterable[str]) -> str:
    first = [name[:50] for name in names][:_MOST_NAMED]
    return f": {', '.join(first)}" if first else ""


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def _differ(old: Any, new: Any) -> bool:
    if _is_empty(old) or _is_empty(new):
        return _is_empty(old) != _is_empty(new)
    if isinstance(old, list) and isinstance(new, list):
        texts = [each for each in (*old, *new) if isinstance(each, str)]
        if len(texts) == len(old) + len(new):
            return set(old) != set(new)
    return bool(old != new)


def ids(value: Any) -> tuple[str, ...]:
    """The ids in a list, without repetitions."""
    entries = value if isinstance(value, list) else []
    found = (name_of({"id": entry}, "id") for entry in entries)
    return tuple(dict.fromkeys(entry for entry in found if entry is not None))
