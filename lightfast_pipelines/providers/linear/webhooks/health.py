"""The health of a project or an initiative: on track, at risk, off track."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.providers.fields import name_of, text

_HEALTH = {"onTrack": "on_track", "atRisk": "at_risk", "offTrack": "off_track"}
_MARKS = {"onTrack": "+", "atRisk": "!", "offTrack": "x"}


def health_states(
    data: Mapping[str, Any], subject: Thing, at: datetime, reason: str
) -> list[StateChange]:
    value = _HEALTH.get(text(data, "health") or "")
    return [StateChange(subject, "health", value, at, reason=reason)] if value else []


def marked(data: Mapping[str, Any]) -> str | None:
    """`! atRisk`, for an observation's content."""
    health = name_of(data, "health")
    return f"{_MARKS[health]} {health}" if health in _MARKS else None
