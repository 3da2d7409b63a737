"""The calendar where people count in it: names of days, and months, which differ in length."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import TypeVar

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_Day = TypeVar("_Day", bound=date)


def months_later(day: _Day, months: int) -> _Day:
    """The same day so many months later, or the last one of a shorter month; a time of day stays.

    Raises ValueError outside the years 1 to 9999.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return day.replace(year=year, month=month + 1, day=min(day.day, last))
