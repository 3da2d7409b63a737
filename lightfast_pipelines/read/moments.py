"""Times as a question states them: a date, a datetime, ISO text, or a span back from now."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from lightfast_pipelines.read.errors import ReadError

Moment = datetime | date | str
"""A datetime without a time zone is in UTC. A date is its first moment in UTC. Text is ISO
(`2026-05-01`, `2026-05-01T10:00+02:00`) or a span before now: `7 days`, `12 hours`, `2 weeks`."""

_SPAN = re.compile(r"(\d{1,6})\s*(hour|day|week)s?")
_HOURS = {"hour": 1, "day": 24, "week": 24 * 7}


def moment_of(value: Moment, name: str, *, now: datetime) -> datetime:
    """The moment in UTC. `name` is the argument's, for the error."""
    try:
        return _moment(value, now)
    except (ValueError, OverflowError, TypeError) as error:
        raise ReadError(
            f"{name}={value!r} is not a time: give a date, a datetime, '2026-05-01', "
            "'2026-05-01T10:00+02:00' (UTC unless an offset follows) or '7 days' (before now; also hours "
            "and weeks)"
        ) from error


def _moment(value: Moment, now: datetime) -> datetime:
    if isinstance(value, str):
        if span := _SPAN.fullmatch(value.strip().lower()):
            return now - timedelta(hours=int(span[1]) * _HOURS[span[2]])
        value = datetime.fromisoformat(value.strip())
    if isinstance(value, datetime):
        # A subclass, such as pandas' Timestamp, becomes a plain datetime; its NaT raises ValueError.
        plain = datetime.fromisoformat(value.isoformat())
        return plain.replace(tzinfo=UTC) if plain.tzinfo is None else plain.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise TypeError(type(value).__name__)
