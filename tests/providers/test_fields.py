"""Times as providers write them, and values that are not times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightfast_pipelines.providers.fields import cut, time, titled

MOMENT = datetime(2026, 2, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-02-06T10:00:00Z",
        "2026-02-06T10:00:00",
        "2026-02-06T10:00:00.000Z",
        "2026-02-06T05:00:00-05:00",
        "2026-02-06T21:00:00+11:00",
        1_770_372_000,
        1_770_372_000_000,
        1_770_372_000.0,
    ],
)
def test_iso_text_seconds_and_milliseconds_are_one_moment_in_utc(written: object) -> None:
    found = time({"at": written}, "at")
    assert found == MOMENT
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        *("", "2026", "soon", "1770372000", "202602061100000", "2026-13-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        *(None, True, [], {}, float("nan"), float("inf"), 10**30),
    ],
)
def test_a_year_alone_digits_in_text_and_impossible_dates_are_not_times(written: object) -> None:
    assert time({"at": written}, "at") is None


def test_a_title_is_one_line_of_at_most_200_characters() -> None:
    assert titled("PR Opened", " a \n b\t c ") == "[PR Opened] a b c"
    assert titled("PR Opened", None) == "[PR Opened]"
    assert cut("x" * 200, 200) == "x" * 200
    assert cut("x" * 201, 200) == "x" * 197 + "..."
