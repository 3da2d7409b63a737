"""Walks of Sentry's issues, errors and alerts lose nothing, and estimates come close."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers.api_contract import Answer, Walker
from lightfast_pipelines.providers.sentry.api import API
from lightfast_pipelines.providers.sentry.api.errors import SAMPLE
from tests.depth import examples
from tests.providers.agreement import api_of
from tests.providers.sentry.api.walked import (
    BEGIN,
    CREDENTIAL,
    PLACE,
    WALKERS,
    WINDOW,
    walked,
    worlds,
)
from tests.servers.sentry import Activity, Incident, Issue, World, application


def _halving(size: int, smaller: int) -> Any:
    return lambda number: size if number < 2 else min(size, smaller)


@examples(12)
@given(worlds(), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]))
@pytest.mark.parametrize("kind", sorted(WALKERS))
def test_neither_page_size_nor_resuming_a_walk_loses_anything(
    kind: str, world: World, size: int, smaller: int
) -> None:
    world.limit = 10**6
    with api_of(API, application(world), CREDENTIAL) as api:
        walker = WALKERS[kind]
        # Of errors the page's length is the sample's too, which must be the same to be compared.
        least = SAMPLE if kind == "error" else 1
        sizes = _halving(max(size, least), max(smaller, least))
        whole = api.walk(walker, PLACE, WINDOW).rows
        short = api.walk(walker, PLACE, WINDOW, sizes=sizes)
        assert short.rows == whole
        for cursor, done in zip(short.cursors, short.had, strict=True):
            rest = api.walk(walker, PLACE, WINDOW, start=cursor, sizes=lambda _: smaller * least)
            seen = {record.delivery_id for record in short.records[:done]}
            assert seen | rest.rows.keys() == whole.keys()


def test_an_issue_resolved_long_after_it_was_last_seen_is_found() -> None:
    silent = Issue(1, [WINDOW.since - timedelta(days=15)])
    silent.activities.append(Activity(11, "set_resolved", WINDOW.since + timedelta(days=1)))
    walk = walked(World([silent]), "issue")
    assert [record.payload["action"] for record in walk.records] == ["resolved"]


def test_the_newest_events_and_the_oldest_are_read() -> None:
    seen = [BEGIN + timedelta(minutes=n) for n in range(SAMPLE * 3)]
    walk = walked(World([Issue(1, seen)]), "error")
    assert [record.occurred_at for record in walk.records] == [*reversed(seen[-SAMPLE:]), seen[0]]
    assert "customer@shop.test" not in str(walk.records)
    assert "203.0.113.9" not in str(walk.records)


def test_events_of_a_monitor_are_not_read_as_errors() -> None:
    seen = [BEGIN, BEGIN + timedelta(hours=1)]
    world = World([Issue(1, seen, category="cron"), Issue(2, seen)])
    walk = walked(world, "error")
    assert {record.payload["data"]["error"]["issue_id"] for record in walk.records} == {"2"}
    assert not walk.troubles


def test_a_deleted_issue_is_reported_and_the_walk_goes_on() -> None:
    walker = WALKERS["issue"]
    cursor = {"organization": "acme", "after": "x", "pending": ["1", "2"], "ended": True}
    gone = Answer(404, {}, {"detail": "The requested resource does not exist"})
    call = walker.call(PLACE, WINDOW, cursor, 100)
    assert call.of_one
    assert API.verdict(call, gone, BEGIN).outcome == "missing"
    page = walker.read(PLACE, WINDOW, cursor, gone)
    assert [trouble.item for trouble in page.troubles] == ["issue 1"]
    assert page.next is not None
    assert page.next["pending"] == ["2"]


@pytest.mark.parametrize("kind", sorted(WALKERS))
@pytest.mark.parametrize("count", [0, 1, 100, 330, 1_010])
def test_the_estimate_is_within_a_tenth_of_the_requests_of_the_walk(kind: str, count: int) -> None:
    world = World(limit=10**6)
    for number in range(1, count + 1):
        at = BEGIN + timedelta(minutes=number * 11)
        if kind == "metric_alert":
            world.incidents.append(Incident(number, at, [("critical", at)]))
        else:
            seen = [at + timedelta(seconds=n) for n in range(SAMPLE + 1 if number % 3 == 0 else 1)]
            world.issues.append(Issue(number, seen))
    walker: Walker = WALKERS[kind]
    with api_of(API, application(world), CREDENTIAL) as api:
        estimate, probes = api.estimate(walker, PLACE, WINDOW)
        walk = api.walk(walker, PLACE, WINDOW)
    assert probes <= 12
    assert len(walk.records) >= count
    assert abs(estimate.requests - walk.requests) <= max(1, walk.requests * 0.1)
