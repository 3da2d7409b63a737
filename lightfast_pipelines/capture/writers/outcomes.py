"""Writes what became of each payload, and takes it out of the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from lightfast_pipelines.capture.routing import Outcome
from lightfast_pipelines.capture.writers.rows import insert_rows
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.store.database import Connection

_COLUMNS = (
    "raw_payload_id",
    "workspace_id",
    "resource_key",
    "routes",
    "status",
    "reason",
    "waits_for",
    "attempts",
    "rule_version",
    "processed_at",
)


def write_outcomes(
    conn: Connection, raw_ids: Sequence[int], outcomes: Sequence[Outcome], now: datetime
) -> None:
    """Replaces the outcomes of these payloads and deletes their queue rows."""
    conn.execute("DELETE FROM lightfast.outcomes WHERE raw_payload_id = ANY(%s)", (list(raw_ids),))
    rows = [
        (
            outcome.raw_payload_id,
            outcome.workspace_id,
            outcome.resource_key,
            list(outcome.routes) if outcome.routes else None,
            outcome.status,
            outcome.reason,
            outcome.waits_for,
            outcome.attempts,
            outcome.rule_version,
            now,
        )
        for outcome in outcomes
    ]
    insert_rows(conn, "outcomes", _COLUMNS, rows)
    conn.execute("DELETE FROM lightfast.raw_queue WHERE raw_payload_id = ANY(%s)", (list(raw_ids),))


def requeue_waiting(conn: Connection, subjects: Iterable[Thing]) -> None:
    """Requeues the payloads that are parked until one of these entities is known."""
    conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT p.id, p.partition_date
        FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
        WHERE o.status = 'parked' AND o.resource_key = ANY(%s) AND o.workspace_id IS NULL
        ORDER BY p.id ON CONFLICT DO NOTHING
        """,
        (sorted({name for subject in subjects for name in (subject.key, *subject.aliases)}),),
    )
