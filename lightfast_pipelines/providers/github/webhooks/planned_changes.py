"""Changes of an issue's type and custom fields, and of a pull request's place in the merge queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import ENDING_REASON, StateChange
from lightfast_pipelines.providers.fields import child, children, name_of, text
from lightfast_pipelines.providers.github.webhooks.changed_item import ChangedItem, ItemChange


def type_change(item: ChangedItem) -> ItemChange:
    """An issue's type (`Bug`); a new type replaces the old one in the same moment."""
    is_set = text(item.payload, "action") == "typed"
    name = name_of(child(item.payload, "type") or child(item.value, "type"), "name")
    if name is None:
        return ItemChange(None, "names no type")
    state = _set_or_ended(item, "type", name, is_set=is_set)
    return ItemChange(name, f"Type: {name}", [state], {"type": name})


def field_change(item: ChangedItem) -> ItemChange:
    """A custom field of an organisation: its name and value."""
    is_set = text(item.payload, "action") == "field_added"
    field = child(item.payload, "issue_field")
    field_value = child(item.payload, "issue_field_value")
    name = name_of(field, "name") or name_of(field_value, "issue_field_name")
    if name is None:
        return ItemChange(None, "names no field")
    value = _field_value(field_value)
    state = StateChange(
        item.builder.subject,
        f"field:{name[:100]}",
        value if is_set else "none",
        item.at,
        rank=2 if is_set else 1,
        reason=text(item.payload, "action"),
    )
    words = f"{name}: {value}" if is_set else f"{name} is no longer set"
    facts = {"field": name, "value": value if is_set else None}
    return ItemChange(name, words, [state], facts)


def _field_value(field_value: Mapping[str, Any]) -> str:
    """A chosen option has a name; a written value is a text or a number."""
    options = [
        child(field_value, "single_select_option"),
        *children(field_value, "multi_select_options"),
    ]
    chosen = ", ".join(name for option in options if (name := name_of(option, "name")))
    value = field_value.get("value")
    written = str(value) if isinstance(value, str | int | float) else ""
    return (chosen or written or "set")[:200]


def _set_or_ended(item: ChangedItem, state_type: str, value: str, *, is_set: bool) -> StateChange:
    reason = text(item.payload, "action") if is_set else ENDING_REASON
    return StateChange(
        item.builder.subject, state_type, value, item.at, rank=1 if is_set else 2, reason=reason
    )


# Reasons to leave the queue that are not failures.
_MERGED_BY_QUEUE = frozenset({"MERGE", "ALREADY_MERGED"})


def queue_change(item: ChangedItem) -> ItemChange:
    reason = name_of(item.payload, "reason")
    if text(item.payload, "action") == "enqueued":
        value, rank, words = "queued", 1, "Put into the merge queue"
    elif (reason or "").upper() in _MERGED_BY_QUEUE:
        value, rank, words = "merged", 3, "Left the merge queue: merged"
    else:
        why = (reason or "").lower().replace("_", " ")
        value, rank, words = "dequeued", 3, f"Left the merge queue{f': {why}' if why else ''}"
    state = StateChange(
        item.builder.subject,
        "merge_queue",
        value,
        item.at,
        rank,
        text(item.payload, "action"),
        {"reason": reason} if reason else {},
    )
    return ItemChange("", words, [state], {"reason": reason})
