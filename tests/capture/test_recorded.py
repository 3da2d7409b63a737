"""The recorded payloads of all four providers together: each has an outcome, in any order the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import capture_all, one, receive, rows
from tests.capture.recorded import link_everything, recorded


def _drain(conn: Connection, batch_rows: int) -> dict[str, int]:
    outcomes: dict[str, int] = {}
    more = True
    while more:
        report = capture_all(conn, batch_rows=batch_rows)
        for status, count in report.outcomes.items():
            outcomes[status] = outcomes.get(status, 0) + count
        more = report.more
    return outcomes


def test_every_recorded_payload_ends_delivered_filtered_or_parked_with_a_reason(
    shared: Path, conn: Connection
) -> None:
    deliveries = recorded(shared)
    assert {each.provider for each in deliveries} == {"github", "vercel", "linear", "sentry"}
    link_everything(conn, deliveries)
    receive(conn, deliveries)
    _drain(conn, 50)
    found = rows(
        conn,
        """
        SELECT p.provider, p.event_type, o.status, o.reason
        FROM lightfast.raw_payloads p JOIN lightfast.outcomes o ON o.raw_payload_id = p.id
        """,
    )
    assert len(found) >= len(deliveries)
    assert [row for row in found if row[2] == "dlq"] == []
    assert [row for row in found if row[2] != "delivered" and not row[3]] == []
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
    delivered = {row[0] for row in found if row[2] == "delivered"}
    assert delivered == {"github", "vercel", "linear", "sentry"}


def test_all_providers_payloads_together_end_in_the_same_rows_in_any_order(
    shared: Path, new_database: Callable[[], Database]
) -> None:
    deliveries = recorded(shared)
    digests = []
    for seed in (None, 5, 6):
        order = list(deliveries)
        if seed is not None:
            Random(seed).shuffle(order)
        with new_database().connect() as conn:
            half = len(order) // 2 if seed == 6 else 0
            for portion in (order[:half], order[half:]):
                receive(conn, portion)
                if seed != 5:
                    link_everything(conn, deliveries)
                _drain(conn, 100 if seed is None else 17)
            link_everything(conn, deliveries)
            _drain(conn, 23)
            digests.append(digest_lines(conn))
    assert digests[0] == digests[1]
    assert digests[0] == digests[2]
