"""A seed decides what is sent and which fault comes when."""

from __future__ import annotations

import hashlib
from collections import Counter

from bench.torture.deliveries import Planned, plan
from bench.torture.schedule import KINDS, RUN_KINDS, make_schedule

EVERY = (*KINDS, *RUN_KINDS)


def shown(planned: list[Planned]) -> list[tuple[object, ...]]:
    return [
        (each.at, each.kind, each.tenant, each.scene.delivery_id, each.scene.body)
        for each in planned
    ]


def test_a_seed_makes_the_same_faults_again_and_another_seed_makes_others() -> None:
    first = make_schedule(7, 85.0, EVERY, more=3)
    assert make_schedule(7, 85.0, EVERY, more=3) == first
    assert make_schedule(8, 85.0, EVERY, more=3) != first


def test_every_kind_of_fault_comes_within_the_load_and_none_before_the_one_before_it() -> None:
    schedule = make_schedule(7, 85.0, EVERY, more=3)
    assert len(schedule) == len(EVERY) + 3
    assert {fault.kind for fault in schedule} == set(EVERY)
    moments = [fault.at for fault in schedule]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < 85.0


def test_a_seed_makes_the_same_deliveries_again() -> None:
    planned = plan(7, 600, 85.0)
    assert shown(plan(7, 600, 85.0)) == shown(planned)
    assert shown(plan(8, 600, 85.0)) != shown(planned)


def test_deliveries_come_of_all_providers_with_copies_strangers_and_poison_among_them() -> None:
    planned = plan(7, 1200, 85.0)
    assert {each.scene.provider for each in planned} == {"github", "linear", "sentry", "vercel"}
    kinds = Counter(each.kind for each in planned)
    assert {"sent twice", "same body again", "not linked", "refused"} <= set(kinds)
    assert sum(count for kind, count in kinds.items() if kind.startswith("poison")) >= 10
    # What is not a copy is a delivery of its own.
    keys = [
        (each.scene.provider, each.scene.delivery_id, hashlib.sha256(each.scene.body).digest())
        for each in planned
        if not each.copy and not each.scene.trick
    ]
    assert len(keys) == len(set(keys))
