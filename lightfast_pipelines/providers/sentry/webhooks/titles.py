"""The titles of issues and events, and whether an issue is an error at all.

Cron, uptime and metric monitors, performance problems, replays and feedback are issues as well.
`occurrence`, `issueCategory`, `issueType` or `type` tells them apart, and Sentry keeps adding kinds: unless
an issue is known to be an error, it is named by its own title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lightfast_pipelines.providers.fields import child, children, name_of, text, whole

_LONGEST_VALUE = 80
_LONGEST_EVIDENCE = 500
_MOST_EVIDENCE = 10
# Event types whose issues are errors: exceptions, messages and security reports of browsers.
_ERROR_TYPES = frozenset({"error", "default", "csp", "hpkp", "expectct", "expectstaple", "nel"})
_ERROR_OCCURRENCE = 1
# Sentry's title of an exception with neither a type nor a function.
_NO_TITLE = "<unknown>"
# Evidence about the end user who met the problem or wrote the feedback.
_PRIVATE_EVIDENCE = re.compile(
    r"(?:contact|user|client|remote)?[ _.-]?(?:e-?mail|ip|ip[ _-]?address|name|id|geo)", re.I
)


def is_error(issue: Mapping[str, Any]) -> bool:
    """Whether an issue is an error, by the first field that states its kind."""
    category, kind = text(issue, "issueCategory"), text(issue, "issueType")
    if category is not None:
        return category == "error"
    if kind is not None:
        return kind == "error"
    return (text(issue, "type") or "error") in _ERROR_TYPES


def is_error_event(event: Mapping[str, Any]) -> bool:
    """Whether an event is an error: `occurrence` states the kind of its issue."""
    occurrence = child(event, "occurrence")
    if occurrence:
        return whole(occurrence, "type") == _ERROR_OCCURRENCE
    return is_error(event)


def is_feedback(node: Mapping[str, Any]) -> bool:
    """Whether an issue or event is feedback that an end user wrote."""
    kinds = (text(node, name) for name in ("issueCategory", "issueType", "type"))
    return (
        "feedback" in kinds
        or "contact_email" in child(node, "metadata")
        or bool(child(child(node, "contexts"), "feedback"))
    )


def title_of_issue(issue: Mapping[str, Any]) -> str | None:
    own = text(child(issue, "metadata"), "title")
    return (text(issue, "title") or own) if is_error(issue) else (own or text(issue, "title"))


def title_of_event(event: Mapping[str, Any]) -> str | None:
    """The title of the event's issue; the event's own title may be that of a transaction."""
    if is_error_event(event):
        return text(event, "title")
    return (
        text(child(event, "occurrence"), "issueTitle")
        or text(child(event, "metadata"), "title")
        or text(event, "title")
    )


def headline_of_issue(issue: Mapping[str, Any]) -> str:
    """`TypeError: message`, or the issue's own title and value, shortened."""
    metadata = child(issue, "metadata")
    return _headline(is_error(issue), title_of_issue(issue), metadata, text(metadata, "value"))


def headline_of_event(event: Mapping[str, Any]) -> str:
    """`headline_of_issue` for an event's issue."""
    metadata = child(event, "metadata")
    title = title_of_event(event) or text(event, "message")
    return _headline(is_error_event(event), title, metadata, value_of_event(event))


def value_of_event(event: Mapping[str, Any]) -> str | None:
    """The text besides the title: an exception's message, an occurrence's subtitle."""
    value = text(child(event, "metadata"), "value")
    if is_error_event(event):
        return value
    return text(child(event, "occurrence"), "subtitle") or value


def evidence(event: Mapping[str, Any]) -> Iterator[str]:
    """`Failure reason: 1 missed check-in detected`: the evidence of an occurrence that is not personal."""
    shown = 0
    for entry in children(child(event, "occurrence"), "evidenceDisplay"):
        name, value = name_of(entry, "name"), text(entry, "value")
        if name is None or value is None or _PRIVATE_EVIDENCE.fullmatch(name):
            continue
        yield f"{name}: {value[:_LONGEST_EVIDENCE]}"
        shown += 1
        if shown == _MOST_EVIDENCE:
            return


def _headline(
    error: bool, title: str | None, metadata: Mapping[str, Any], value: str | None
) -> str:
    kind, own = text(metadata, "type"), text(metadata, "title")
    message = (value or "")[:_LONGEST_VALUE]
    if error and kind is not None:
        return f"{kind}: {message}".removesuffix(": ")
    if error and own is None and value is not None:
        return f"Error: {message}"  # the title of an exception without a type is a function's name
    title = title if title != _NO_TITLE else None
    title = title or own or ("Error" if error else "Issue")
    return title if message in title else f"{title}: {message}"
