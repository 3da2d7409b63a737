"""Where somebody works, by what their commits state and by the hours of their work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.domain.time_zones import TimeZone, time_zone_by_hours, time_zone_of

MONDAY = datetime(2024, 5, 6, tzinfo=UTC)
YEAR = 365 * 86_400.0


def office_hours(offset: int, days: int = 20) -> list[float]:
    """Acts at 9, 11, 14, 16 and 21 o'clock on a clock that many hours east of UTC."""
    return [
        (MONDAY + timedelta(days=day, hours=hour - offset)).timestamp()
        for day in range(days)
        for hour in (9, 11, 14, 16, 21)
    ]


@pytest.mark.parametrize("offset", [-8, -5, 0, 2, 5, 10])
def test_hours_of_work_tell_an_offset_to_about_three_hours(offset: int) -> None:
    zone = time_zone_by_hours(office_hours(offset))
    assert zone is not None
    away = abs(zone.minutes / 60 - offset)
    assert min(away, 24 - away) <= 3
    assert zone.evidence == "hours"


def test_a_few_acts_tell_nothing_and_acts_at_every_hour_next_to_nothing() -> None:
    assert time_zone_by_hours(office_hours(2, days=3)) is None
    always = [MONDAY.timestamp() + 3_600 * hour for hour in range(24 * 10)]
    zone = time_zone_by_hours(always)
    assert zone is not None
    assert zone.confidence < 0.6


def test_what_commits_state_outweighs_the_hours() -> None:
    acts = office_hours(2)
    zone = time_zone_of(acts, [(at, -300) for at in acts], half_life=YEAR)
    assert zone == TimeZone(-300, 0.95, "commits")
    assert str(zone) == "UTC-05:00"


def test_one_commit_on_somebody_elses_machine_does_not_outweigh_the_hours() -> None:
    acts = office_hours(2)
    zone = time_zone_of(acts, [(acts[0], -300)], half_life=YEAR)
    assert zone is not None
    assert zone.evidence == "hours"


def test_summer_and_winter_agree_and_the_newer_home_counts() -> None:
    summer = [(YEAR * 0.4 + day, 120) for day in range(30)]
    winter = [(YEAR * 0.9 + day, 60) for day in range(30)]
    zone = time_zone_of([], [*summer, *winter], half_life=YEAR / 4)
    assert zone is not None
    assert (zone.minutes, zone.confidence) == (60, 0.95)
    moved = [(YEAR * 3 + day, 540) for day in range(5)]
    zone = time_zone_of([], [*summer, *winter, *moved], half_life=YEAR / 4)
    assert zone is not None
    assert str(zone) == "UTC+09:00"


def test_half_hours_are_kept() -> None:
    assert str(TimeZone(330, 0.9, "commits")) == "UTC+05:30"
    assert str(TimeZone(-210, 0.9, "commits")) == "UTC-03:30"
