"""Takes a batch of deliveries through the stages of capture, in one transaction.

`capture/queue/` decides which deliveries are taken and what happens to a batch that fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightfast_pipelines.capture.batch_result import BatchResult, summarize_batch
from lightfast_pipelines.capture.changes import apply_changes
from lightfast_pipelines.capture.collecting import collect_statements
from lightfast_pipelines.capture.facts import fold_facts
from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.claims import hold_queued
from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reading_ahead import ReadingAhead
from lightfast_pipelines.capture.repeats import without_repeats
from lightfast_pipelines.capture.routing import route
from lightfast_pipelines.capture.series import settle_series
from lightfast_pipelines.capture.writers.document_queue import ask_for_documents
from lightfast_pipelines.capture.writers.outcomes import requeue_waiting, write_outcomes
from lightfast_pipelines.capture.writing import write_facts
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_capture


def capture_batch(
    conn: Connection,
    taken: Sequence[RawPayload],
    now: datetime,
    kept: KeptReadings,
    ahead: ReadingAhead | None = None,
    *,
    from_queue: bool = False,
) -> BatchResult:
    """Writes everything that these payloads state, in the open transaction; `ahead` may have read some of
    them. With `from_queue` it leaves out those that another session has captured since they were taken.

    The stages hand on, in order: read payloads, routed payloads, statements, facts, written rows.
    """
    ahead = ahead or ReadingAhead()
    read = ahead.read(taken)
    hold_capture(conn)
    if from_queue:
        waiting = hold_queued(conn, [raw.id for raw in taken])
        taken = [raw for raw in taken if raw.id in waiting]
        read = [payload for payload in read if payload.raw.id in waiting]
    routed, displaced = without_repeats(conn, route(conn, read))
    renamed = apply_changes(conn, routed, displaced)
    ask_for_documents(conn, routed)
    statements = collect_statements(conn, routed, kept)
    series = settle_series(conn, statements)
    facts = fold_facts(conn, statements, series, ahead.enriched)
    written = write_facts(conn, facts, renamed)
    write_outcomes(conn, [raw.id for raw in taken], routed.outcomes, now)
    requeue_waiting(conn, [fact.statement.subject for fact in facts.written])
    return summarize_batch(taken, routed.outcomes, facts, written)
