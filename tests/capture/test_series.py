"""A series is never read again as a whole, and comes to the same as if it were."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.capture.raw_payloads import load_raw_payloads
from lightfast_pipelines.capture.reading import read_payloads
from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.domain.folding import StatementSource
from lightfast_pipelines.inbox.requeue import rebuild, requeue_days
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.capture.rows_read import rows_read, without_leftovers
from tests.depth import size
from tests.providers.sentry import payloads as sentry
from tests.settling import Stated, settle

Row = tuple[str, datetime, str, str, object, object, tuple[int, ...]]


def _error(
    event: str, at: datetime, delivery: str, *, source: str = "webhook", **more: str
) -> Delivery:
    payload = sentry.error(event, at.isoformat(), **more)
    return replace(
        provider_delivery("sentry", "error", payload, delivery_id=delivery), ingestion_source=source
    )


def _regression(seen: datetime, delivery: str) -> Delivery:
    payload = sentry.issue("unresolved", substatus="regressed", last_seen=seen.isoformat())
    return provider_delivery(
        "sentry", "issue", payload, at=seen + timedelta(minutes=2), delivery_id=delivery
    )


def _life(chance: random.Random, number: int) -> list[Delivery]:
    """Errors of a few hours in any order, some told twice and not alike, and regressions among them."""
    deliveries = []
    for n in range(number):
        at = NOW + timedelta(seconds=chance.randrange(3 * 3_600))
        if chance.random() < 0.15:
            deliveries.append(_regression(at, f"regression-{n}"))
            continue
        event, release = f"e{n % (number * 2 // 3):03}", chance.choice(["shop@1", "shop@2"])
        source = chance.choice(["webhook", "webhook", "api"])
        deliveries.append(_error(event, at, f"error-{n}", source=source, release=release))
    return deliveries


def _stored(conn: Connection) -> list[Row]:
    series_rows = rows(
        conn,
        """
        SELECT source_id, occurred_at, title, content, metadata->'count', metadata->'isRegression',
               ARRAY(SELECT s.raw_payload_id FROM lightfast.observation_sources s
                     WHERE s.observation_id = o.id ORDER BY 1)
        FROM lightfast.observations o WHERE source_type LIKE 'error.%%' ORDER BY source_id COLLATE "C"
        """,
    )
    return [(*row[:-1], tuple(row[-1])) for row in series_rows]


def _simply(conn: Connection) -> list[Row]:
    """The same of the payloads that count, read all at once."""
    ids = [
        row[0]
        for row in rows(
            conn, "SELECT raw_payload_id FROM lightfast.outcomes WHERE status = 'delivered'"
        )
    ]
    series: list[Stated] = []
    for payload in read_payloads(load_raw_payloads(conn, dict.fromkeys(ids, 0))):
        raw, reading = payload.raw, payload.reading
        assert isinstance(reading, Understood)
        source = StatementSource(raw.ingestion_source, raw.received_at, raw.body_sha256)
        series += ((source, s, raw.id) for s in reading.statements if s.occurrence is not None)
    conn.rollback()
    return [
        (
            statement.source_id,
            statement.occurred_at,
            statement.title,
            statement.content,
            statement.metadata.get("count"),
            statement.metadata.get("isRegression"),
            payloads,
        )
        for statement, payloads in settle(series)
    ]


def _capture(conn: Connection, batch_rows: int) -> None:
    capture(conn, days=None, max_rows=10_000, batch_rows=batch_rows, now=NOW)


@pytest.mark.parametrize("seed", range(size(3, 40)))
def test_a_series_captured_in_batches_equals_one_captured_at_once(
    new_database: Callable[[], Database], seed: int
) -> None:
    chance = random.Random(seed)
    life = _life(chance, 36)
    digests = []
    for batch_rows in (1, 5, 100):
        with new_database().connect() as conn:
            linked(conn, "shop", ("sentry", "42"))
            for half in (life[:20], life[20:]):
                receive(conn, half)
                _capture(conn, batch_rows)
                assert _stored(conn) == _simply(conn)
            _check_counts(conn)
            digests.append(digest_lines(conn))
        chance.shuffle(life)
    assert digests[0] == digests[1] == digests[2]


def _check_counts(conn: Connection) -> None:
    counted = rows(
        conn,
        """
        SELECT hour_id, events FROM lightfast.occurrence_counts EXCEPT
        SELECT hour_id, count(DISTINCT event_id) FROM lightfast.occurrences
        WHERE NOT is_alone AND NOT is_restart GROUP BY 1
        """,
    )
    assert counted == []


def test_capturing_a_series_again_or_rebuilding_it_changes_nothing(conn: Connection) -> None:
    linked(conn, "shop", ("sentry", "42"))
    receive(conn, _life(random.Random(7), 40))
    _capture(conn, 9)
    before, stored = digest_lines(conn), _stored(conn)
    requeue_days(conn, [NOW.date()])
    conn.commit()
    _capture(conn, 4)
    assert (digest_lines(conn), _stored(conn)) == (before, stored)
    rebuild(conn)
    conn.commit()
    assert one(conn, "SELECT count(*) FROM lightfast.occurrences") == 0
    _capture(conn, 11)
    assert (digest_lines(conn), _stored(conn)) == (before, stored)
    _check_counts(conn)


def test_events_that_no_payload_states_any_more_are_not_counted(conn: Connection) -> None:
    """Its events are no longer wanted: the first of all goes, and another takes its place."""
    linked(conn, "shop", ("sentry", "42"))
    receive(conn, _life(random.Random(8), 30))
    _capture(conn, 7)
    conn.execute('UPDATE lightfast.integrations SET sync_config = \'{"events": ["issue"]}\'')
    requeue_days(conn, [NOW.date()])
    conn.commit()
    _capture(conn, 6)
    assert _stored(conn) == []
    assert one(conn, "SELECT count(*) FROM lightfast.occurrences WHERE NOT is_restart") == 0
    assert one(conn, "SELECT count(*) FROM lightfast.occurrence_counts") == 0


def _drop_bodies(conn: Connection, database: Database, *deliveries: str) -> None:
    with database.connect("migrator") as owner:
        owner.execute(
            """
            DELETE FROM lightfast.raw_bodies b USING lightfast.raw_payloads p
            WHERE p.id = b.raw_payload_id AND p.delivery_id = ANY(%s)
            """,
            (list(deliveries),),
        )
        owner.commit()


def _hour_of(at: datetime) -> dict[str, datetime]:
    return {f"e{n}": at + timedelta(minutes=n) for n in range(5)}


def test_an_hour_counts_on_after_retention_has_dropped_bodies(
    conn: Connection, database: Database
) -> None:
    linked(conn, "shop", ("sentry", "42"))
    times = _hour_of(NOW)
    receive(conn, [_error(event, at, event) for event, at in times.items()])
    _capture(conn, 3)
    _drop_bodies(conn, database, "e0", "e2", "e3")
    receive(conn, [_error("e9", NOW + timedelta(minutes=9), "e9")])
    _capture(conn, 3)
    assert [(row[0].rpartition("|")[2], row[4]) for row in _stored(conn)] == [
        ("e0", None),
        ("2024-06-01T12Z", 5),
    ]


@pytest.mark.parametrize("dropped", ["e0", "e1"])
def test_what_only_a_dropped_body_states_stays_and_survives_a_rebuild(
    conn: Connection, database: Database, dropped: str
) -> None:
    linked(conn, "shop", ("sentry", "42"))
    receive(conn, [_error(event, at, event) for event, at in _hour_of(NOW).items()])
    _capture(conn, 3)
    before = _stored(conn)
    _drop_bodies(conn, database, dropped)
    rebuild(conn)
    conn.commit()
    _capture(conn, 2)
    assert _stored(conn) == before
    receive(conn, [_error("e0", NOW, "again", culprit="elsewhere")])
    _capture(conn, 2)
    assert [row[0] for row in _stored(conn)] == [row[0] for row in before]


def test_two_workspaces_of_one_resource_count_separately(conn: Connection) -> None:
    for slug in ("first", "second"):
        linked(conn, slug, ("sentry", "42"))
    receive(conn, _life(random.Random(5), 30))
    _capture(conn, 4)
    counts = rows(
        conn, "SELECT workspace_id, sum(events) FROM lightfast.occurrence_counts GROUP BY 1"
    )
    assert len(counts) == 2
    assert counts[0][1] == counts[1][1] > 0


def _in_one_hour(n: int) -> datetime:
    return NOW + timedelta(milliseconds=100 * n)


def _earlier_and_earlier(n: int) -> datetime:
    return NOW + timedelta(minutes=50) - timedelta(milliseconds=100 * n)


@pytest.mark.parametrize("when", [_in_one_hour, _earlier_and_earlier])
def test_one_more_event_reads_as_many_rows_after_many_events_as_after_few(
    database: Database, conn: Connection, when: Callable[[int], datetime]
) -> None:
    linked(conn, "shop", ("sentry", "42"))
    read_rows = []
    for first, number in ((0, 60), (61, 240)):
        receive(conn, [_error(f"e{n}", when(n), f"e{n}") for n in range(first, number)])
        capture_all(conn)
        with without_leftovers(database, conn):
            receive(conn, [_error(f"e{number}", when(number), f"e{number}")])
            before = rows_read(conn)
            capture_all(conn)
            read_rows.append(rows_read(conn) - before)
    assert read_rows[1] <= read_rows[0] + 40
