"""The stage that gives significant observations vectors of the hosted model, beside their local ones.

It takes its work from a queue (`store/hosted_vectors.py`). While the service does not answer, the
observations wait there, and everything else goes on with local vectors. No row is locked while a request
is under way: an observation whose text changed meanwhile stays in the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, LiteralString

from lightfast_pipelines.embedding.embedder import HostedEmbedder
from lightfast_pipelines.embedding.hosted_usage import pause_or_resume, record_embedding_usage
from lightfast_pipelines.embedding.index import VectorIndex, Vectors
from lightfast_pipelines.embedding.stage import embedded_by, vectors_of
from lightfast_pipelines.inbox.isolation import ObservationStage, ServiceUnavailableError
from lightfast_pipelines.inbox.paged_stage import PageBounds, PagesReport, work_through
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import NOT_GIVEN_UP, OF_QUEUE, note_coverage
from lightfast_pipelines.store.stage_pages import StagePage
from lightfast_pipelines.store.time_limit import TimeLimit

# 500 observations have some 1,500 texts, which are two to five requests.
PAGE_OBSERVATIONS = 500
# The embedder bounds each request itself: three tries of 30 s and two pauses of 20 s, five times.
_TIME_LIMIT = TimeLimit(batch=900.0)

_WORKSPACES: LiteralString = """
SELECT w.id FROM lightfast.workspaces w
WHERE EXISTS (SELECT FROM lightfast.hosted_embedding_queue q WHERE q.workspace_id = w.id)
ORDER BY w.id
"""
# Each workspace gets its share of a page; the newest days come first.
_PAGE: LiteralString = f"""
SELECT o.id, o.workspace_id, q.day, o.is_deleted, o.title, o.content
FROM unnest(%(workspaces)s::bigint[]) AS w (id)
CROSS JOIN LATERAL (
  SELECT o.id, o.partition_date AS day FROM {OF_QUEUE}
  WHERE o.workspace_id = w.id AND o.id <> ALL(%(left)s) AND {NOT_GIVEN_UP}
    AND (%(days)s::date[] IS NULL OR o.partition_date = ANY(%(days)s::date[]))
  ORDER BY o.partition_date DESC, o.id DESC LIMIT %(share)s
) q
JOIN lightfast.observations o ON o.id = q.id
ORDER BY o.id
"""
_ROWS: LiteralString = """
SELECT o.id, o.workspace_id, NULL, o.is_deleted, o.title, o.content
FROM lightfast.observations o WHERE o.id = ANY(%s) ORDER BY o.id
"""


@dataclass(slots=True)
class HostedReport(PagesReport):
    """What a run embedded, and what that used. `unavailable` says why the service ended the run early;
    `retry_after` is how many seconds it asked to wait."""

    vectors: int = 0
    requests: int = 0
    tokens: int = 0
    unavailable: str | None = None
    retry_after: float | None = None


def embed_hosted(
    conn: Connection,
    embedder: HostedEmbedder,
    index: VectorIndex,
    *,
    days: Sequence[date] | None = None,
    max_rows: int,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> HostedReport:
    """Embeds at most `max_rows` waiting observations (of these partition days), a page at a time.

    The caller holds the stage's lock. If the service is not available, what was embedded until then
    stays, the rest waits, and the report says so.
    """
    report = HostedReport()
    unavailable: ServiceUnavailableError | None = None

    def embed(page: StagePage, ids: Sequence[int]) -> None:
        rows = page if len(ids) == len(page) else conn.execute(_ROWS, (list(ids),)).fetchall()
        _forget(conn, [row[0] for row in rows if row[3]])
        # The text of something deleted is sent to nobody.
        if present := [row for row in rows if not row[3]]:
            report.vectors += _write(conn, index, present, vectors_of(embedder, present))

    def try_out(observation: int) -> None:
        if rows := conn.execute(_ROWS, ([observation],)).fetchall():
            vectors_of(embedder, rows)

    def count_usage() -> None:
        _count_usage(conn, embedder, report, clock().date())

    def next_page(conn: Connection, limit: int) -> StagePage:
        count_usage()
        return pages.next(conn, limit)

    pages = _QueuePages(conn, embedder.name, days)
    witnesses = partial(embedded_by, conn, embedder.name)
    stage = ObservationStage("hosted_embeddings", embedder.name, witnesses, try_out)
    bounds = PageBounds(PAGE_OBSERVATIONS, max_rows, progress, between, _TIME_LIMIT)
    try:
        work_through(conn, stage, next_page, embed, report, bounds)
    except ServiceUnavailableError as failure:
        unavailable = failure
        report.unavailable, report.retry_after = str(failure), failure.retry_after
    finally:
        if not conn.closed:
            conn.rollback()
            count_usage()
    note_coverage(conn, embedder.name)
    pause_or_resume(conn, embedder, clock(), unavailable, report.requests)
    conn.commit()
    return report


class _QueuePages:
    """The pages of one run: each observation is taken once, whether it is embedded or stays."""

    def __init__(self, conn: Connection, model: str, days: Sequence[date] | None) -> None:
        self._parameters: dict[str, Any] = {
            "model": model,
            "days": None if days is None else list(days),
        }
        self._workspaces = [row[0] for row in conn.execute(_WORKSPACES)]
        self._taken: list[int] = []
        self._left: set[int] = set()

    def next(self, conn: Connection, limit: int) -> StagePage:
        self._left.update(_still_waiting(conn, self._taken))
        while self._workspaces:
            page = conn.execute(
                _PAGE,
                {
                    **self._parameters,
                    "workspaces": self._workspaces[:limit],
                    "left": sorted(self._left),
                    "share": max(1, limit // len(self._workspaces)),
                },
            ).fetchall()
            with_work = {row[1] for row in page}
            # Those that had a turn go to the end, those without work leave.
            served, waiting = self._workspaces[:limit], self._workspaces[limit:]
            self._workspaces = [*waiting, *(id_ for id_ in served if id_ in with_work)]
            if page:
                self._taken = [row[0] for row in page]
                return page
        return []


def _still_waiting(conn: Connection, observations: Sequence[int]) -> list[int]:
    rows = conn.execute(
        "SELECT observation_id FROM lightfast.hosted_embedding_queue WHERE observation_id = ANY(%s)",
        (list(observations),),
    )
    return [row[0] for row in rows]


def _write(conn: Connection, index: VectorIndex, rows: StagePage, vectors: Vectors) -> int:
    """Writes the vectors of the observations whose text is still the same, and takes these off the queue;
    returns the number of vectors."""
    ids = [row[0] for row in rows]
    # An observation that capture is rewriting at this moment stays in the queue.
    now_there = conn.execute(
        """
        SELECT id, title, content FROM lightfast.observation_facts
        WHERE id = ANY(%s) AND NOT is_deleted ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """,
        (ids,),
    ).fetchall()
    embedded_texts = {row[0]: (row[4], row[5]) for row in rows}
    unchanged = [id_ for id_, *texts in now_there if embedded_texts[id_] == tuple(texts)]
    written = index.upsert(vectors.of({*unchanged}))
    _forget(conn, unchanged)
    return written


def _forget(conn: Connection, observations: Sequence[int]) -> None:
    """Takes these observations off the queue."""
    conn.execute(
        "DELETE FROM lightfast.hosted_embedding_queue WHERE observation_id = ANY(%s)",
        (list(observations),),
    )


def _count_usage(
    conn: Connection, embedder: HostedEmbedder, report: HostedReport, day: date
) -> None:
    """Records what was used since the last time, in a transaction of its own."""
    usage = record_embedding_usage(conn, embedder, purpose="embeddings", day=day)
    report.requests += usage.requests
    report.tokens += usage.tokens
    if usage.requests:
        conn.commit()
