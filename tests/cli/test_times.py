"""Every command reads times the same way, and lists the accepted forms for any other text."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.cli.times import read_time

# A Thursday.
NOW = datetime(2026, 5, 21, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-05-21T09:30"),
        ("today", "2026-05-21T00:00"),
        ("Yesterday", "2026-05-20T00:00"),
        ("last tuesday", "2026-05-19T00:00"),
        ("last Thursday", "2026-05-14T00:00"),
        ("friday", "2026-05-15T00:00"),
        ("2d", "2026-05-19T09:30"),
        ("2 days ago", "2026-05-19T09:30"),
        ("1d12h", "2026-05-19T21:30"),
        ("45min", "2026-05-21T08:45"),
        ("2w", "2026-05-07T09:30"),
        ("3mo", "2026-02-21T09:30"),
        ("5 months", "2025-12-21T09:30"),
        ("1y", "2025-05-21T09:30"),
        ("2026-05-01", "2026-05-01T00:00"),
        ("2026-05", "2026-05-01T00:00"),
        (" 2026-05-01 10:00 ", "2026-05-01T10:00"),
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00"),
        ("2026-05-01 10:00 Europe/Berlin", "2026-05-01T08:00"),
        ("2026-05-01 10:00 UTC", "2026-05-01T10:00"),
        ("2026-05-01 America/New_York", "2026-05-01T04:00"),
    ],
)
def test_a_time_is_read_as_a_person_means_it(text: str, moment: str) -> None:
    assert read_time(text, NOW) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_a_month_back_from_its_last_day_ends_in_the_month_before() -> None:
    for day, text, expected in (
        ("2026-03-31", "1mo", "2026-02-28"),
        ("2026-12-31", "1mo", "2026-11-30"),
        ("2026-01-31", "2mo", "2025-11-30"),
        ("2028-02-29", "1y", "2027-02-28"),
    ):
        now = datetime.fromisoformat(day).replace(tzinfo=UTC)
        assert read_time(text, now) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_the_span_of_an_end_counts_forward_from_now() -> None:
    assert read_time("30d", NOW, ahead=True) == datetime(2026, 6, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "lastyear", "2x", "d", "2d3", "gestern", "01.05.2026", "2026-13-01", "99999999d", "99999y",
        "2026-05-01 10:00 Nowhere/Land", "2026-05-01 Europe",
        "2026-05-01T10:00Z Europe/Berlin", "0001-01-01T00:00+02:00",
        "2026-05-01 ../../etc/passwd", "1800",
    ],
)  # fmt: skip
def test_text_that_is_not_a_time_is_refused_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time: write 2026-05-01, .* 90d .* yesterday"):
        read_time(text, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert read_time(text, NOW).tzinfo is UTC
