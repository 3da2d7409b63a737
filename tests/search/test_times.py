"""Times in a question bound the answer; what is no time is left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.search.times import find_times

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)  # a Monday
BERLIN = ZoneInfo("Europe/Berlin")


def _bounds(text: str) -> list[tuple[str | None, str | None]]:
    return [
        (
            span.since.strftime("%Y-%m-%d") if span.since else None,
            span.before.strftime("%Y-%m-%d") if span.before else None,
        )
        for span in find_times(text, NOW, UTC)
    ]


@pytest.mark.parametrize(
    ("text", "since", "before"),
    [
        ("what broke today", "2026-11-30", "2026-12-01"),
        ("what broke yesterday", "2026-11-29", "2026-11-30"),
        ("what broke last week", "2026-11-23", "2026-11-30"),
        ("what broke this week", "2026-11-30", "2026-12-07"),
        ("what broke last month", "2026-10-01", "2026-11-01"),
        ("since Tuesday", "2026-11-24", None),
        ("on Monday", "2026-11-30", "2026-12-01"),
        ("last Monday", "2026-11-23", "2026-11-24"),
        ("fixes in March", "2026-03-01", "2026-04-01"),
        ("in December", "2025-12-01", "2026-01-01"),
        ("in Dec 2024", "2024-12-01", "2025-01-01"),
        ("last November", "2025-11-01", "2025-12-01"),
        ("before 2026-05-01", None, "2026-05-01"),
        ("after 2026-05-01", "2026-05-02", None),
        ("until 2026-05-01", None, "2026-05-02"),
        ("on 2026-05-01", "2026-05-01", "2026-05-02"),
        ("during 2026-05", "2026-05-01", "2026-06-01"),
        ("since 2025", "2025-01-01", None),
        ("3 days ago", "2026-11-27", "2026-11-28"),
        ("a month ago", "2026-10-30", "2026-10-31"),
        ("in the last 2 weeks", "2026-11-16", "2026-11-30"),
        ("last quarter", "2026-07-01", "2026-10-01"),
    ],
)
def test_a_time_bounds_the_answer(text: str, since: str | None, before: str | None) -> None:
    assert _bounds(text) == [(since, before)]


@pytest.mark.parametrize(
    "text",
    ["march on with the plan", "it may fail", "on 2026-02-30", "2026-13-01", "monday.com login",
     "in 40000", "the weekly job", "todays", "since the crash", "v2026-05-01-rc"],
)  # fmt: skip
def test_what_is_no_time_is_left_alone(text: str) -> None:
    assert _bounds(text) == []


def test_days_begin_at_midnight_of_the_time_zone() -> None:
    [span] = find_times("yesterday", datetime(2026, 7, 1, 23, tzinfo=UTC), BERLIN)

    assert span.since == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert span.before == datetime(2026, 7, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "release", "is_after"),
    [
        ("before the 1.4 release", "1.4", False),
        ("until release 2.0", "2.0", False),
        ("since v1.4.1", "v1.4.1", True),
        ("after the v2 release", "v2", True),
    ],
)
def test_a_release_bounds_the_answer(text: str, release: str, is_after: bool) -> None:
    [span] = find_times(text, NOW, UTC)

    assert (span.release, span.is_after_release) == (release, is_after)


@given(
    text=st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                "since",
                "before",
                "in",
                "on",
                "last",
                "week",
                "month",
                "9999",
                "0001-01-01",
                "2026-02-29",
                "31",
                "999",
                "years",
                "ago",
                "may",
            ]
        ),
        max_size=8,
    ).map(" ".join),
    now=st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_any_text_is_read_and_a_time_begins_before_it_ends(text: str, now: datetime) -> None:
    for span in find_times(text, now, BERLIN):
        assert 0 <= span.start < span.end <= len(text)
        if span.since and span.before:
            assert span.since < span.before
