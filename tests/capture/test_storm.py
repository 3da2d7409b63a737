"""An error storm: a handful of observations with the right counts, whatever comes when."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.depth import size
from tests.providers.sentry import payloads as sentry

ISSUE = sentry_keys.issue(42, 4711)
RELEASES = ("shop@1.0", "shop@1.1", None)
ENVIRONMENTS = ("production", "preview")

Error = tuple[datetime, str, str | None, str]


def _errors(number: int, seconds: float) -> list[Error]:
    """(time, event id, release, environment), one each `seconds`."""
    chance = random.Random(number)
    return [
        (
            (NOW + timedelta(seconds=n * seconds)).replace(microsecond=0),
            f"e{n:05}",
            chance.choice(RELEASES),
            chance.choice(ENVIRONMENTS),
        )
        for n in range(number)
    ]


def _sent(errors: Sequence[Error], delivered: str = "first") -> list[Delivery]:
    return [
        provider_delivery(
            "sentry",
            "error",
            sentry.error(event, at.isoformat(), release=release, environment=environment),
            delivery_id=f"{delivered}-{event}",
        )
        for at, event, release, environment in errors
    ]


def _regression(at: datetime) -> Delivery:
    seen = at.isoformat()
    payload = sentry.issue("unresolved", substatus="regressed", last_seen=seen)
    return provider_delivery("sentry", "issue", payload, at=at + timedelta(minutes=2))


def _expected(errors: Sequence[Error], regression: datetime) -> dict[str, int]:
    """source_id -> number of errors, counted the simple way."""
    told_once = sorted(set(errors))
    alone = {told_once[0], next(each for each in told_once if each[0] >= regression)}
    counts = Counter(
        f"{ISSUE}|error.occurred|{release or ''}|{environment}|{at:%Y-%m-%dT%HZ}"
        for at, event, release, environment in told_once
        if (at, event, release, environment) not in alone
    )
    return dict(counts) | {f"{ISSUE}|error.created|{event}": 1 for _, event, _, _ in alone}


def _found(conn: Connection) -> dict[str, int]:
    found = rows(
        conn,
        """
        SELECT source_id, coalesce((metadata->>'count')::int, 1) FROM lightfast.observations
        WHERE source_type LIKE 'error.%%'
        """,
    )
    return dict(found)


def _statuses(conn: Connection) -> dict[str, int]:
    return dict(rows(conn, "SELECT status, count(*) FROM lightfast.outcomes GROUP BY 1"))


def test_a_storm_of_errors_is_a_handful_of_counts_in_any_order(
    new_database: Callable[[], Database],
) -> None:
    number = size(2_000, 10_000)
    errors = _errors(number, 25_000 / number)
    late: Error = (NOW - timedelta(minutes=5), "late", "shop@1.0", "production")
    regression = errors[number * 6 // 10][0]
    expected = _expected([*errors, late], regression)
    # Seven hours begun, three releases, two environments, the hour before, two that stand alone.
    assert len(expected) <= 7 * 6 + 2 + 1
    digests = []
    for seed in (1, 2):
        storm = [*_sent(errors), *_sent(errors[: number // 20], "again"), _regression(regression)]
        if seed == 2:
            storm += _sent([late])
        random.Random(seed).shuffle(storm)
        with new_database().connect() as conn:
            linked(conn, "shop", ("sentry", "42"))
            receive(conn, storm)
            capture_all(conn, batch_rows=number // 4)
            assert _statuses(conn) == {
                "delivered": len(storm) - number // 20,
                "filtered": number // 20,
            }
            if seed == 1:
                assert f"{ISSUE}|error.created|{errors[0][1]}" in _found(conn)
                receive(conn, _sent([late]))
                capture_all(conn)
            assert _found(conn) == expected
            assert sum(_found(conn).values()) == number + 1
            assert one(conn, "SELECT count(*) FROM lightfast.observation_sources") == number + 2
            digests.append(digest_lines(conn))
    assert digests[0] == digests[1]


@pytest.fixture
def read_ids(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each error was read."""
    provider = type(discover()["sentry"])
    read, counted = provider.read, Counter[str]()

    def counting(self: Any, event: str, payload: Mapping[str, Any]) -> Any:
        if event == "error":
            counted[payload["data"]["error"]["event_id"]] += 1
        return read(self, event, payload)

    monkeypatch.setattr(provider, "read", counting)
    return counted


def test_a_storm_is_read_once_however_many_batches_it_takes(
    conn: Connection, read_ids: Counter[str]
) -> None:
    linked(conn, "shop", ("sentry", "42"))
    receive(conn, _sent(_errors(60, 60)))
    capture_all(conn, batch_rows=5)
    assert set(read_ids.values()) == {1}
    read_ids.clear()
    # A run of its own knows nothing of what another has read: this one needs the first of the hour alone.
    receive(conn, _sent([(NOW + timedelta(minutes=30), "z", "shop@1.0", "production")]))
    capture_all(conn)
    assert read_ids.pop("z") == 1
    assert sum(read_ids.values()) == 1


@pytest.mark.parametrize("most", [0, 7])
def test_readings_that_are_not_kept_are_read_again_with_the_same_result(
    new_database: Callable[[], Database], most: int
) -> None:
    storm = [*_sent(_errors(60, 90)), _regression(NOW + timedelta(minutes=30))]
    random.Random(3).shuffle(storm)
    digests = []
    for kept in (KeptReadings(), KeptReadings(most)):
        with new_database().connect() as conn:
            linked(conn, "shop", ("sentry", "42"))
            receive(conn, storm)
            capture(conn, days=None, max_rows=1_000, batch_rows=7, now=NOW, kept=kept)
            digests.append(digest_lines(conn))
    assert digests[0] == digests[1]


def test_a_workspace_linked_during_a_storm_gets_the_whole_storm(
    conn: Connection,
) -> None:
    """What is kept says nothing of where it goes."""
    linked(conn, "first", ("sentry", "42"))
    errors, kept = _errors(30, 60), KeptReadings()

    def take(deliveries: Sequence[Delivery]) -> None:
        receive(conn, deliveries)
        capture(conn, days=None, max_rows=1_000, batch_rows=5, now=NOW, kept=kept)

    take(_sent(errors[:20]))
    linked(conn, "second", ("sentry", "42"))
    take(_sent(errors[20:]))
    counted = rows(
        conn,
        """
        SELECT w.slug, sum(coalesce((metadata->>'count')::int, 1))::int
        FROM lightfast.observations o JOIN lightfast.workspaces w ON w.id = o.workspace_id
        GROUP BY 1 ORDER BY 1
        """,
    )
    assert counted == [("first", 30), ("second", 30)]
