"""Times are read as they are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from lightfast_pipelines.read import ReadError
from lightfast_pipelines.read.moments import moment_of

NOW = datetime(2026, 5, 20, 9, 30, tzinfo=UTC)
FIRST = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (date(2026, 5, 1), FIRST),
        (datetime(2026, 5, 1), FIRST),  # noqa: DTZ001 - a naive time is in UTC
        (datetime(2026, 5, 1, 2, tzinfo=timezone(timedelta(hours=2))), FIRST),
        (pd.Timestamp("2026-05-01"), FIRST),
        (pd.Timestamp("2026-05-01 02:00", tz="Europe/Berlin"), FIRST),
        ("2026-05-01", FIRST),
        (" 2026-05-01T02:00+02:00", FIRST),
        ("2026-05-01 00:00", FIRST),
        ("7 days", datetime(2026, 5, 13, 9, 30, tzinfo=UTC)),
        ("1 day", datetime(2026, 5, 19, 9, 30, tzinfo=UTC)),
        ("12 hours", datetime(2026, 5, 19, 21, 30, tzinfo=UTC)),
        ("2 Weeks", datetime(2026, 5, 6, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc(value: Any, moment: datetime) -> None:
    read = moment_of(value, "since", now=NOW)
    assert read == moment
    assert read.utcoffset() == timedelta(0)
    assert type(read) is datetime


@pytest.mark.parametrize("value", ["soon", "2026-13-01", "7 months", "999999 weeks", "", 7, pd.NaT])
def test_what_is_no_time_is_refused_with_the_forms_that_are(value: Any) -> None:
    with pytest.raises(ReadError, match=r"since=.* is not a time: give a date") as refused:
        moment_of(value, "since", now=NOW)
    assert "'7 days'" in str(refused.value)
