"""Finds times in a question: `last week`, `since Tuesday`, `in March`, `before the 1.4 release`.

Pure: the clock and the time zone are parameters. A week begins on Monday, and `last week` is the one
before this one. `May` and `March` are months only after a word such as `in`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from lightfast_pipelines.domain.calendar_dates import WEEKDAYS, months_later

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_DAY = "|".join(WEEKDAYS)
_MONTH = "|".join([*_MONTHS, *(f"{month[:3]}\\.?" for month in _MONTHS)])
# What stands for a time by itself, then what does only after a word such as `in`.
_CERTAIN = (
    r"(?P<iso>\d{4}-\d{2}-\d{2})|(?P<iso_month>\d{4}-(?:0[1-9]|1[0-2]))(?![\w-])|(?P<near>today|yesterday)"
    r"|(?P<which>last|this|past)\s+(?P<unit>week|month|year|quarter)"
    rf"|last\s+(?P<last_day>{_DAY})|last\s+(?P<last_month>{'|'.join(_MONTHS)})"
    r"|(?:the\s+)?(?:last|past)\s+(?P<count>\d{1,3})\s+(?P<units>hour|day|week|month|year)s?"
    r"|(?P<ago>\d{1,3}|an?)\s+(?P<ago_unit>hour|day|week|month|year)s?\s+ago"
)
_AFTER_A_WORD = rf"(?P<day>{_DAY})|(?P<month>{_MONTH})(?:\s+(?P<of_year>(?:19|20)\d\d))?|(?P<year>(?:19|20)\d\d)"
_PREPOSITION = r"since|after|before|until|till|in|on|during|from"
_BARE = _CERTAIN.replace("(?P<", "(?P<bare_")
_TIME = re.compile(
    rf"(?<![\w.-])(?:(?P<word>{_PREPOSITION})\s+(?:the\s+)?(?:{_CERTAIN}|{_AFTER_A_WORD})"
    rf"|{_BARE})(?!\w)",
    re.IGNORECASE,
)
_RELEASE = re.compile(
    r"(?<![\w.-])(?P<word>since|after|before|until|till)\s+(?:the\s+)?"
    r"(?:release\s+(?P<after>v?\d[\w.+-]*\w|v?\d)|(?P<before>v?\d[\w.+-]*\w|v?\d)\s+release|(?P<bare>v\d[\w.]*\w))(?!\w)",
    re.IGNORECASE,
)
_FIRST_YEAR = 1970


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A stretch of the text that bounds when something happened; `before` is not part of it.

    With `release`, the bound is when that release happened, which only the memory knows.
    """

    start: int
    end: int
    since: datetime | None = None
    before: datetime | None = None
    release: str | None = None
    is_after_release: bool = False


def find_times(text: str, now: datetime, zone: tzinfo) -> Iterator[TimeSpan]:
    """The times that the text names, in its order; those that do not exist (2026-02-30) are left out."""
    taken: list[tuple[int, int]] = []
    for match in _RELEASE.finditer(text):
        name = match["after"] or match["before"] or match["bare"]
        is_after = match["word"].lower() in {"since", "after"}
        taken.append(match.span())
        yield TimeSpan(*match.span(), release=name, is_after_release=is_after)
    for match in _TIME.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in taken):
            continue
        found = {
            name.removeprefix("bare_"): value.lower()
            for name, value in match.groupdict().items()
            if value is not None
        }
        word = found.pop("word", "in")
        try:
            first, end = _bounds(found, now, zone)
        except (ValueError, OverflowError):
            continue
        if word in {"since", "from"}:
            yield TimeSpan(*match.span(), since=first)
        elif word == "after":
            yield TimeSpan(*match.span(), since=end)
        elif word == "before":
            yield TimeSpan(*match.span(), before=first)
        elif word in {"until", "till"}:
            yield TimeSpan(*match.span(), before=end)
        else:
            yield TimeSpan(*match.span(), since=first, before=end)


def _bounds(found: dict[str, str], now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The beginning of the time and its end, which is not part of it. Raises ValueError if it is none."""
    today = now.astimezone(zone).date()
    if "count" in found:
        moment = _moved(now, zone, -int(found["count"]), found["units"])
        return moment, now
    if "ago" in found:
        count = int(found["ago"]) if found["ago"].isdigit() else 1
        if found["ago_unit"] == "hour":
            moment = now - timedelta(hours=count)
            return moment, moment + timedelta(hours=1)
        day = _moved(now, zone, -count, found["ago_unit"]).astimezone(zone).date()
        return _days(day, day + timedelta(days=1), zone)
    first, end = _days_named(found, today)
    return _days(first, end, zone)


def _days_named(found: dict[str, str], today: date) -> tuple[date, date]:
    day = timedelta(days=1)
    if "iso" in found:
        first = date.fromisoformat(found["iso"])
        return first, first + day
    if "iso_month" in found:
        first = date.fromisoformat(f"{found['iso_month']}-01")
        return first, months_later(first, 1)
    if "near" in found:
        first = today - day * (found["near"] == "yesterday")
        return first, first + day
    if "unit" in found:
        return _calendar_unit(found["which"], found["unit"], today)
    if "last_day" in found or "day" in found:
        name = found.get("last_day") or found["day"]
        back = (today.weekday() - WEEKDAYS.index(name)) % 7
        first = today - day * (back or (7 if "last_day" in found else 0))
        return first, first + day
    if "last_month" in found or "month" in found:
        return _month(found, today)
    first = date(int(found["year"]), 1, 1)
    return first, date(first.year + 1, 1, 1)


def _month(found: dict[str, str], today: date) -> tuple[date, date]:
    """The latest such month that has begun, unless the year is said."""
    name = found.get("last_month") or found["month"]
    number = next(
        place for place, month in enumerate(_MONTHS, 1) if month[:3] == name.rstrip(".")[:3]
    )
    if year := found.get("of_year"):
        first = date(int(year), number, 1)
    else:
        first = date(today.year, number, 1)
        if first > today or ("last_month" in found and number == today.month):
            first = date(today.year - 1, number, 1)
    return first, months_later(first, 1)


def _calendar_unit(which: str, unit: str, today: date) -> tuple[date, date]:
    if unit == "week":
        first = today - timedelta(days=today.weekday())
        step = 7
        first -= timedelta(days=step * (which != "this"))
        return first, first + timedelta(days=step)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    begun = date(today.year, (today.month - 1) // months * months + 1, 1)
    first = begun if which == "this" else months_later(begun, -months)
    return first, months_later(first, months)


def _moved(now: datetime, zone: tzinfo, count: int, unit: str) -> datetime:
    if unit in {"month", "year"}:
        return months_later(now.astimezone(zone), count * (12 if unit == "year" else 1))
    return now + timedelta(**{f"{unit}s": count})


def _days(first: date, end: date, zone: tzinfo) -> tuple[datetime, datetime]:
    if first.year < _FIRST_YEAR:
        raise ValueError(first.year)
    return datetime.combine(first, time(), zone), datetime.combine(end, time(), zone)
