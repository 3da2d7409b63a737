"""A figure beyond its limit is found, with the words for it; anything else is in order."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.health import LIMITS, Figure, HealthLimit, beyond_limits, days_left


def test_figures_within_their_limits_or_without_one_are_in_order() -> None:
    figures = [Figure(limit.name, limit.subject, limit.value) for limit in LIMITS]
    assert beyond_limits([*figures, Figure("table_size", "entities", 1e15)]) == []


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.name} {limit.subject}")
def test_each_limit_is_noticed_on_its_own_side(limit: HealthLimit) -> None:
    beyond = limit.value * (0.9 if limit.at_least else 1.1)
    (exceeded,) = beyond_limits([Figure(limit.name, limit.subject, beyond)])
    assert limit.meaning in exceeded.what
    assert (exceeded.value, exceeded.limit) == (beyond, limit.value)


def test_each_subject_has_a_breach_of_its_own() -> None:
    late = [Figure("received_to_queryable_p95", name, 500) for name in ("sentry", "github")]
    assert [each.kind for each in beyond_limits(late)] == [
        "received_to_queryable_p95 github",
        "received_to_queryable_p95 sentry",
    ]


def test_a_disk_lasts_as_long_as_the_growth_of_the_last_days_says() -> None:
    assert days_left(free=100.0, size=30.0, earlier=10.0, days=4) == 20
    assert days_left(free=100.0, size=10.0, earlier=10.0, days=4) is None
    assert days_left(free=100.0, size=30.0, earlier=10.0, days=0.1) is None
    assert days_left(free=100.0, size=30.0, earlier=None, days=4) is None
