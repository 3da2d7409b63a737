"""Times as people write them on the command line, the same for every command."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from lightfast_pipelines.domain.calendar_dates import WEEKDAYS, months_later

UNDERSTOOD = (
    "write 2026-05-01, '2026-05-01 10:00' or 2026-05-01T10:00:00Z (UTC, unless +02:00 or a zone such "
    "as Europe/Berlin follows), 90d for 90 days ago (also 45min, 12h, 2w, 6mo, 1y), yesterday, or "
    "'last tuesday'"
)

_PART = re.compile(r"(\d+)\s*([a-z]+)\s*")
_MONTH = re.compile(r"\d{4}-\d{2}")
# A month and a year are counted in the calendar; these are fixed spans.
_SPANS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_MONTHS = {
    **dict.fromkeys(("mo", "month", "months"), 1),
    **dict.fromkeys(("y", "year", "years"), 12),
}


def read_time(text: str, now: datetime, *, ahead: bool = False) -> datetime:
    """The moment in UTC. A span counts back from `now`, or forward with `ahead`.

    Raises ValueError, whose message lists the accepted forms.
    """
    try:
        return _read(text.strip(), now, 1 if ahead else -1).astimezone(UTC)
    except (ValueError, OverflowError, OSError, ZoneInfoNotFoundError) as error:
        raise ValueError(f"{text!r} is not a time: {UNDERSTOOD}") from error


def time_option(text: str, option: str, *, now: datetime, ahead: bool = False) -> datetime:
    """`read_time` of an option's value; text that is not a time is wrong usage."""
    try:
        return read_time(text, now, ahead=ahead)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _read(text: str, now: datetime, direction: int) -> datetime:
    words = text.lower()
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    days = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if words == "now":
        return now
    if words in days:
        return today + timedelta(days=days[words])
    weekday = words.removeprefix("last ").strip()
    if weekday in WEEKDAYS:
        back = (today.weekday() - WEEKDAYS.index(weekday) - 1) % 7 + 1
        return today - timedelta(days=back)
    span = words.removesuffix(" ago").removeprefix("in ").strip()
    parts = _PART.findall(span)
    if parts and _PART.sub("", span) == "":
        moment = now
        for number, unit in parts:
            moment = _moved(moment, direction * int(number), unit)
        return moment
    if _MONTH.fullmatch(text):
        return datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
    return _calendar(text)


def _moved(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _SPANS:
        return moment + count * _SPANS[unit]
    if unit not in _MONTHS:
        raise ValueError(unit)
    return months_later(moment, count * _MONTHS[unit])


def _calendar(text: str) -> datetime:
    zone: tzinfo = UTC
    written, _, name = text.rpartition(" ")
    if written and re.search(r"[A-Za-z]", name) and not re.match(r"\d", name):
        zone = UTC if name.upper() in {"UTC", "Z", "GMT"} else ZoneInfo(name)
        text = written
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    if zone is not UTC:
        raise ValueError("two time zones")
    return moment
