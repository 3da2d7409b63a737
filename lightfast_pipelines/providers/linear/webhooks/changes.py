"""Which fields an update changed, by comparing `updatedFrom` with the entity as it is now.

Old payloads list fields in `updatedFrom` that were and are null, and new ones list sort orders and
bookkeeping: only a known field whose value differs counts as changed.
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
    """A field whose changes are observations.

    `names` are the names that it has in payloads of any age. `transition` is the name of its change,
    `cleared` the name if the field is empty now. `now` shows the new value from the entity and `was`
    the old one from `updatedFrom`; None for values that mean nothing to a reader, such as ids. `time`
    names the field that dates the transition, if it has one.
    """

    label: str
    names: tuple[str, ...]
    transition: str
    weight: int
    now: Show | None = None
    was: Callable[[Any], str | None] | None = None
    cleared: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One change of one field; `old` is the value in `updatedFrom`, under `name`."""

    field: Field
    transition: str
    is_cleared: bool
    name: str
    old: Any


def archived(weight: int) -> Field:
    return Field(
        "archived", ("archivedAt",), "archived", weight, cleared="unarchived", time="archivedAt"
    )


def trashed(weight: int) -> Field:
    return Field("trashed", ("trashed",), "deleted", weight, cleared="restored", time="archivedAt")


def health(time: str | None = None) -> Field:
    return Field("health", ("health",), "health-changed", 35, plain("health"), shown, time=time)


def plain(name: str) -> Show:
    """Shows a text or number as it is."""
    return lambda data: shown(data.get(name))


def shown(value: Any) -> str | None:
    """A text or number as a short text; None for anything else."""
    if isinstance(value, str):
        return " ".join(value[:_LONGEST_VALUE].split()) or None
    number = number_of({"value": value}, "value")
    return None if number is None else str(number)


def day(value: Any) -> str | None:
    """The date in a time or date (`2024-02-14T00:00:00.000Z`)."""
    return value[:10] if isinstance(value, str) and value[:4].isdigit() else None


def changes(
    data: Mapping[str, Any], updated_from: Mapping[str, Any], fields: Sequence[Field]
) -> list[FieldChange]:
    """In the order of `fields`; a field that is listed under several names changed once."""
    changed = []
    for field in fields:
        for name in field.names:
            if name in updated_from and _differ(updated_from[name], data.get(name)):
                is_cleared = all(_is_empty(data.get(alias)) for alias in field.names)
                transition = field.cleared if is_cleared and field.cleared else field.transition
                old = updated_from[name]
                changed.append(FieldChange(field, transition, is_cleared, name, old))
                break
    return changed


def why_nothing(data: Mapping[str, Any], updated_from: Mapping[str, Any]) -> str:
    """Why an update yields no observation."""
    names = [name for name, old in updated_from.items() if _differ(old, data.get(name))]
    return "no relevant field changed" + _listed(
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
    are_lists = isinstance(old, list) and isinstance(new, list)
    if are_lists and all(isinstance(entry, str) for entry in (*old, *new)):
        return set(old) != set(new)
    return bool(old != new)


def ids(value: Any) -> tuple[str, ...]:
    """The ids in a list, without repetitions."""
    entries = value if isinstance(value, list) else []
    names = (name_of({"id": entry}, "id") for entry in entries)
    return tuple(dict.fromkeys(name for name in names if name is not None))
