"""One tenant's backlog holds no other tenant's delivery up: counted in batches, not in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightfast_pipelines.capture.batch import capture_batch
from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue import lanes, taking
from lightfast_pipelines.capture.queue.lanes import LINKED_NOWHERE, UNREADABLE, look
from lightfast_pipelines.capture.queue.taking import take, take_again
from lightfast_pipelines.inbox.requeue import rebuild, replay
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import find_workspace, link_resource
from tests.capture.deliveries import (
    NOW,
    capture_all,
    delivery,
    one,
    receive,
    rows,
    workspace_with,
)
from tests.capture.provider_deliveries import provider_delivery
from tests.capture.rows_read import rows_read
from tests.providers.github import payloads as github
from tests.providers.sentry import payloads as sentry

ROWS = 10
BIG, SMALL = 1, 2


def _issues(repo_id: int, number: int, first: int = 1) -> list[Delivery]:
    return [
        delivery("issues", github.issue(number=n, repo_id=repo_id), f"{repo_id}-{n}")
        for n in range(first, first + number)
    ]


def _single(repo_id: int = SMALL) -> Delivery:
    return delivery("issues", github.issue(number=77, repo_id=repo_id), "single")


def _batches_until(conn: Connection, delivery_id: str, most: int = 100) -> int:
    """How many batches are captured until that delivery is."""
    kept = KeptReadings()
    for batch in range(1, most + 1):
        raws = take(conn, None, ROWS)
        capture_batch(conn, raws, NOW, kept)
        conn.commit()
        if delivery_id in {raw.delivery_id for raw in raws}:
            return batch
    raise AssertionError(f"{delivery_id} was in none of {most} batches")


def _errors(number: int) -> Iterable[Delivery]:
    for n in range(number):
        at = (NOW + timedelta(seconds=n)).isoformat()
        yield provider_delivery(
            "sentry", "error", sentry.error(f"e{n:05}", at), delivery_id=f"e{n}"
        )


def _year(number: int) -> Iterable[Delivery]:
    """Records of a year, read from the API: each stands on its own day, all of them before today."""
    for n, record in enumerate(_issues(BIG, number)):
        yield replace(
            record,
            ingestion_source="backfill",
            verified_by="credential:1",
            org_id="default",
            partition_date=NOW.date() - timedelta(days=number - n),
        )


BACKLOGS: Mapping[str, Callable[[], Iterable[Delivery]]] = {
    "issues": lambda: _issues(BIG, 150),
    "errors": lambda: _errors(150),
    "a year's records": lambda: _year(150),
    "unlinked repositories": lambda: (
        delivery("issues", github.issue(number=1, repo_id=1_000 + n), f"u{n}") for n in range(150)
    ),
    "what is no JSON": lambda: (delivery("issues", b"{" * (n + 1), f"p{n}") for n in range(150)),
    "a file": lambda: (
        replace(one_issue, org_id="default", verified_by="manual", ingestion_source="manual")
        for one_issue in _issues(BIG, 150)
    ),
}


@pytest.mark.parametrize("org_id", ["default", "another"])
@pytest.mark.parametrize("backlog", BACKLOGS)
def test_a_delivery_is_in_the_next_batch_whatever_another_tenant_sent_before(
    conn: Connection, backlog: str, org_id: str
) -> None:
    """All of it verified by the environment's one secret, or by hand."""
    big = workspace_with(conn, "big", BIG)
    link_resource(conn, big, "sentry", "42")
    workspace_with(conn, "small", SMALL, org_id=org_id)
    receive(conn, [*BACKLOGS[backlog](), _single()])
    assert _batches_until(conn, "single") == 1


def test_with_fifty_tenants_a_delivery_waits_for_one_turn_of_each(conn: Connection) -> None:
    for tenant in range(1, 51):
        workspace_with(conn, f"w{tenant}", tenant)
        receive(conn, _issues(tenant, 8))
    workspace_with(conn, "small", 99)
    receive(conn, [_single(99)])
    assert _batches_until(conn, "single") <= -(-51 // ROWS)


def test_at_most_one_large_delivery_goes_before_a_small_one(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "LARGE_BYTES", 20_000)
    workspace_with(conn, "big", BIG)
    workspace_with(conn, "small", SMALL)
    pushes = [
        delivery("push", github.push([github.commit(f"{p} {n}") for n in range(200)]), f"push{p}")
        for p in range(4)
    ]
    receive(conn, pushes)
    assert _batches_until(conn, "push0") == 1
    receive(conn, [_single()])
    assert _batches_until(conn, "single") <= 2
    assert capture_all(conn).outcomes == {"delivered": 3}


def test_the_newest_deliveries_get_a_lane_before_those_in_the_middle(conn: Connection) -> None:
    workspace_with(conn, "big", BIG)
    small = workspace_with(conn, "small", SMALL)
    receive(conn, _issues(BIG, 40))
    receive(conn, [_single()])
    assert look(conn, 6) == 6
    assert one(
        conn,
        """
        SELECT q.lane FROM lightfast.raw_queue q JOIN lightfast.raw_payloads p
          ON p.id = q.raw_payload_id WHERE p.delivery_id = 'single'
        """,
    ) == (small.id)


def test_replayed_and_requeued_deliveries_get_their_lane_without_being_read(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_with(conn, "big", BIG)
    workspace_with(conn, "small", SMALL)
    receive(conn, _issues(BIG, 60))
    capture_all(conn)
    rebuild(conn)
    conn.commit()
    monkeypatch.setattr(type(discover()["github"]), "decode", None)
    assert look(conn) == 60
    assert rows(conn, "SELECT DISTINCT lane IS NULL OR lane <= 0 FROM lightfast.raw_queue") == [
        (False,)
    ]
    monkeypatch.undo()
    receive(conn, [_single()])
    assert _batches_until(conn, "single") == 1


def test_replayed_dead_letters_delay_no_other_tenant(conn: Connection) -> None:
    workspace_with(conn, "big", BIG)
    workspace_with(conn, "small", SMALL)
    receive(conn, BACKLOGS["what is no JSON"]())
    assert capture_all(conn).outcomes == {"dlq": 150}
    assert replay(conn, ["dlq"]) == 150
    conn.commit()
    receive(conn, [_single()])
    assert _batches_until(conn, "single") == 1


def test_a_payload_that_keeps_failing_delays_no_other_of_its_batch(
    conn: Connection,
) -> None:
    workspace_with(conn, "big", BIG)
    workspace_with(conn, "small", SMALL)
    receive(conn, [*_issues(BIG, 60), _single()])
    conn.execute("UPDATE lightfast.raw_queue SET attempts = 1")
    conn.execute(
        """
        UPDATE lightfast.raw_queue SET attempts = 3 WHERE raw_payload_id IN
          (SELECT id FROM lightfast.raw_payloads WHERE delivery_id = 'single')
        """
    )
    taken = []
    for _ in range(2):
        taken.append([raw.delivery_id for raw in take_again(conn, None, ROWS)])
        conn.commit()
    assert ["single"] in taken
    assert take(conn, None, ROWS) == []


def test_a_payload_that_ends_the_process_that_reads_it_is_not_read_again(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def end(*_: Any) -> Any:
        raise Killed

    workspace_with(conn, "big", BIG)
    receive(conn, _issues(BIG, 3))
    monkeypatch.setattr(type(discover()["github"]), "decode", end)
    with pytest.raises(Killed):
        look(conn)
    conn.rollback()
    assert look(conn) == 0
    assert rows(conn, "SELECT DISTINCT lane FROM lightfast.raw_queue") == [(UNREADABLE,)]


def test_linking_a_resource_moves_its_deliveries_out_of_the_lane_of_unlinked_ones(
    conn: Connection,
) -> None:
    workspace_with(conn, "big", BIG)
    receive(conn, [_single(99)])
    look(conn)
    assert one(conn, "SELECT lane FROM lightfast.raw_queue") == LINKED_NOWHERE
    workspace = find_workspace(conn, "big")
    link_resource(conn, workspace, "github", "99")
    conn.commit()
    look(conn)
    assert one(conn, "SELECT lane FROM lightfast.raw_queue") == workspace.id


def test_large_bodies_are_looked_at_within_bounds_from_both_ends(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_LOOK_BYTES", 1)
    workspace_with(conn, "big", BIG)
    receive(conn, _issues(BIG, 5))
    assert [look(conn) for _ in range(4)] == [2, 2, 1, 0]


def _wait(conn: Connection, number: int) -> None:
    """So many deliveries wait, in three lanes."""
    conn.execute(
        """
        WITH stored AS (
          INSERT INTO lightfast.raw_payloads (provider, delivery_id, body_sha256, event_type,
            ingestion_source, received_at, partition_date, verified_by)
          SELECT 'github', 'd' || n, sha256(n::text::bytea), 'issues', 'webhook', %(now)s,
                 %(now)s::date - n %% 300, 'env:TEST'
          FROM generate_series(1, %(number)s) AS n RETURNING id, partition_date
        )
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date, lane)
        SELECT id, partition_date, id %% 3 FROM stored
        """,
        {"now": NOW, "number": number},
    )
    conn.commit()


def test_taking_a_batch_reads_as_much_of_a_long_queue_as_of_a_short_one(
    new_database: Callable[[], Database],
) -> None:
    read = []
    for number in (3_000, 30_000):
        database = new_database()
        with database.connect() as conn:
            _wait(conn, number)
            with database.connect("migrator", autocommit=True) as owner:
                owner.execute("VACUUM ANALYZE lightfast.raw_queue, lightfast.raw_payloads")
            for days in (None, [NOW.date() - timedelta(days=n) for n in range(200)]):
                before = rows_read(conn)
                assert len(take(conn, days, 100)) == 100
                conn.rollback()
                read.append(rows_read(conn) - before)
    assert max(read[2:]) <= 1.5 * max(read[:2])
