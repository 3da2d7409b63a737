"""The stage that gives each observation its vectors, one per view, in batches of a transaction each.

It finds its work in the tables, so a run that is killed loses nothing: an observation is pending while
it has no title vector of the current model, and its three views are written together. Capture deletes
the vectors of an observation whose text changed, which makes it pending again. Workspaces take turns,
so that none waits for all of another's backlog. Every observation gets local vectors; those that are
significant are then queued for the hosted model, if there is one (`hosted_stage.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, LiteralString

from lightfast_pipelines.domain.views import view_texts
from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.embedding.index import VIEWS, VectorIndex, Vectors, View
from lightfast_pipelines.inbox.isolation import ObservationStage
from lightfast_pipelines.inbox.paged_stage import PageBounds, PagesReport, work_through
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import enqueue
from lightfast_pipelines.store.pending_work import (
    HAS_OTHER_VECTORS,
    ON_THE_DAYS,
    PARTITION_DAY,
    TO_EMBED,
    WITHOUT_CURRENT_VECTOR,
)
from lightfast_pipelines.store.stage_pages import PendingPages, StagePage
from lightfast_pipelines.store.time_limit import TimeLimit

_TIME_LIMIT = TimeLimit()

# 2,000 observations have 6,000 vectors, 6 MiB; the three views of the longest texts are 60 MB.
BATCH_OBSERVATIONS = 2_000

# An observation that capture is rewriting stays pending, or it would get the vector of its old text.
_LOCK: LiteralString = "FOR NO KEY UPDATE OF o SKIP LOCKED"

# Observations that only other models have embedded, which is asked where there are any.
_OF_OTHER_MODELS: LiteralString = f"""
SELECT o.id, o.workspace_id, d.day, o.external_id, o.title, o.content
FROM lightfast.observation_facts o LEFT JOIN {PARTITION_DAY} ON true
WHERE o.id > %(after)s AND {WITHOUT_CURRENT_VECTOR} AND {TO_EMBED.not_given_up} AND {ON_THE_DAYS}
ORDER BY o.id LIMIT %(limit)s
{_LOCK}
"""

# Of a page that failed, the observations that still have no vector of this model.
_REREAD: LiteralString = f"""
SELECT o.id, o.workspace_id, NULL, o.external_id, o.title, o.content
FROM lightfast.observation_facts o
WHERE o.id = ANY(%(ids)s) AND {WITHOUT_CURRENT_VECTOR}
ORDER BY o.id
{_LOCK}
"""

_WITNESS: LiteralString = """
SELECT o.id, o.workspace_id, NULL, o.external_id, o.title, o.content
FROM lightfast.observation_facts o WHERE o.id = %s
"""

_TAKE_OUT = "DELETE FROM lightfast.embedding_queue WHERE observation_id = ANY(%s)"


@dataclass(slots=True)
class EmbeddingReport(PagesReport):
    """What a run embedded, and the number of vectors."""

    vectors: int = 0


def embed_pending(
    conn: Connection,
    embedder: Embedder,
    index: VectorIndex,
    *,
    days: Sequence[date] | None = None,
    max_rows: int,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
    time_limit: TimeLimit = _TIME_LIMIT,
) -> EmbeddingReport:
    """Embeds at most `max_rows` pending observations (of these partition days), one transaction a batch.

    The caller holds the stage's lock; `index` writes through `conn` if it is pgvector. `progress` is
    called with the number of observations of each batch, `between` after each but the last.
    """
    report = EmbeddingReport()
    pages = _EmbeddingPages(embedder.name, days)

    def write(rows: StagePage) -> int:
        vectors = index.upsert(vectors_of(embedder, rows))
        conn.execute(_TAKE_OUT, ([row[0] for row in rows],))
        return vectors

    def embed(page: StagePage, ids: Sequence[int]) -> None:
        # After a failure it is read again: its rows are no longer locked, so capture may have changed them.
        is_locked = pages.has_locked(page)
        rows = page if is_locked and len(ids) == len(page) else _reread(conn, ids, embedder.name)
        if not rows:
            return
        vectors = write(rows)
        enqueue(conn, [row[0] for row in rows])
        # Clusters that were decided without these vectors are decided again.
        mark_changed(conn, [row[1] for row in rows])
        report.vectors += vectors

    def try_out(observation: int) -> None:
        if rows := conn.execute(_WITNESS, (observation,)).fetchall():
            write(rows)

    witnesses = partial(embedded_by, conn, embedder.name)
    stage = ObservationStage("embeddings", embedder.name, witnesses, try_out)
    bounds = PageBounds(BATCH_OBSERVATIONS, max_rows, progress, between, time_limit)
    work_through(conn, stage, pages.next, embed, report, bounds)
    return report


class _EmbeddingPages:
    """First observations without a vector, with workspaces taking turns; then those of other models."""

    def __init__(self, model: str, days: Sequence[date] | None) -> None:
        self._model = model
        self._days = days
        self._without_vector: PendingPages | None = PendingPages(
            stage=TO_EMBED,
            parameters={"model": model},
            columns=", o.external_id, o.title, o.content",
            lock=_LOCK,
        )
        self._after = 0
        self._locked: StagePage | None = None

    def next(self, conn: Connection, limit: int) -> StagePage:
        self._locked = self._read(conn, limit)
        return self._locked

    def has_locked(self, page: StagePage) -> bool:
        """Whether the rows of the page have been locked since they were read. They are for one attempt, so
        the second call says no."""
        locked, self._locked = self._locked, None
        return page is locked

    def _read(self, conn: Connection, limit: int) -> StagePage:
        if self._without_vector is not None:
            page = self._without_vector.next(conn, self._days, limit)
            if page or not self._has_other_models(conn):
                return page
            self._without_vector = None
        page = conn.execute(
            _OF_OTHER_MODELS,
            {
                "after": self._after,
                "model": self._model,
                "days": None if self._days is None else list(self._days),
                "limit": limit,
            },
        ).fetchall()
        if page:
            self._after = page[-1][0]
        return page

    def _has_other_models(self, conn: Connection) -> bool:
        row = conn.execute(f"SELECT {HAS_OTHER_VECTORS}", {"model": self._model}).fetchone()
        return row is not None and row[0]


def _reread(conn: Connection, ids: Sequence[int], model: str) -> StagePage:
    return conn.execute(_REREAD, {"ids": list(ids), "model": model}).fetchall()


def embedded_by(conn: Connection, model: str, limit: int) -> list[int]:
    """Some observations that this model has embedded."""
    rows = conn.execute(
        """
        SELECT observation_id FROM lightfast.observation_vectors
        WHERE view = 'title' AND model = %s LIMIT %s
        """,
        (model, limit),
    )
    return [row[0] for row in rows]


def vectors_of(embedder: Embedder, page: Sequence[tuple[Any, ...]]) -> Vectors:
    """The vectors of all views of observations, by rows (id, workspace, _, _, title, content)."""
    import numpy as np

    texts = [view_texts(title, content) for *_, title, content in page]
    # Many texts are the same (a title without content is all three views): embed each once.
    places: dict[str, int] = {}
    rows = [
        places.setdefault(views_of_text[view], len(places))
        for view in range(3)
        for views_of_text in texts
    ]
    views: list[View] = [view for view in VIEWS for _ in page]
    return Vectors(
        model=embedder.name,
        workspace_ids=[row[1] for row in page] * len(VIEWS),
        observation_ids=[row[0] for row in page] * len(VIEWS),
        views=views,
        vectors=embedder.embed(list(places))[np.asarray(rows)],
    )
