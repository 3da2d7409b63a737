"""Compares a provider's declared rules with its readings of payloads."""

from __future__ import annotations

from collections.abc import Iterable

from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Reading, Understood
from lightfast_pipelines.providers.webhook_contract import EventRule


def rule_for(rules: Iterable[EventRule], event: str, action: str | None) -> EventRule | None:
    """The rule of this event: one for its action before one for any action."""
    fitting = [
        rule
        for rule in rules
        if (rule.event == event or (rule.event[-1] == "*" and event.startswith(rule.event[:-1])))
        and rule.action in (None, action)
    ]
    return min(fitting, key=lambda rule: (rule.action is None, rule.event[-1] == "*"), default=None)


def conforms(rule: EventRule | None, reading: Reading) -> bool:
    """Whether the reading matches the rule. A single payload of a delivered event may still be filtered."""
    if isinstance(reading, Parked):
        return True  # a shape that was unknown when the rule was written
    if rule is None:
        return False
    if isinstance(reading, Lifecycle):
        return rule.outcome == "lifecycle"
    if isinstance(reading, Filtered) or not reading.statements:
        return rule.outcome in ("filtered", "delivered", "lifecycle")
    assert isinstance(reading, Understood)
    return rule.outcome == "delivered" and {s.source_type for s in reading.statements} <= set(
        rule.source_types
    )
