"""The stage that gives observations their vectors: three views each, in batches that commit alone.

It finds its own work by SQL, so a run killed anywhere loses nothing: an observation is pending
while it has no title vector of the current model, and its three views are written together.
Capture deletes the vectors of an observation whose text changed, which makes it pending again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg

from lightfast_pipelines.capture.apart import Apart
from lightfast_pipelines.capture.outcomes import mark_changed
from lightfast_pipelines.capture.ports import VIEWS, Embedder, VectorIndex, Vectors, View

# 2,000 observations are 6,000 vectors, 6 MiB; three views of the longest texts are 60 MB.
BATCH_OBSERVATIONS = 2_000
SUMMARY_CHARACTERS = 1_000

# Exact, and read once per page along both primary keys. What is deleted gets no vector.
PENDING = """
  NOT o.is_deleted AND NOT EXISTS (
    SELECT FROM lightfast.observation_vectors v
    WHERE v.observation_id = o.id AND v.view = 'title' AND v.model = %(model)s
  )
"""

# An observation belongs to the earliest day of its payloads.
_DAY = """
  LATERAL (
    SELECT min(r.partition_date) AS day
    FROM lightfast.observation_sources s JOIN lightfast.raw_payloads r ON r.id = s.raw_payload_id
    WHERE s.observation_id = o.id
  ) d
"""

_PAGE = f"""
SELECT o.id, o.workspace_id, o.external_id, o.title, o.content, d.day
FROM lightfast.observations o LEFT JOIN {_DAY} ON true
WHERE o.id > %(after)s AND {PENDING}
  AND (%(days)s::date[] IS NULL OR d.day = ANY(%(days)s::date[]))
  AND (%(ids)s::bigint[] IS NULL OR o.id = ANY(%(ids)s::bigint[]))
ORDER BY o.id LIMIT %(limit)s
-- What capture is rewriting right now stays pending instead of getting the vector of its old text.
FOR NO KEY UPDATE OF o SKIP LOCKED
"""

_NAME_VECTORS = """
UPDATE lightfast.observations
SET embedding_title_id = external_id || ':title',
    embedding_content_id = external_id || ':content',
    embedding_summary_id = external_id || ':summary'
WHERE id = ANY(%s) AND embedding_title_id IS DISTINCT FROM external_id || ':title'
"""


@dataclass(slots=True)
class EmbeddingReport:
    """What a run embedded. `days`: partition day -> observations."""

    observations: int = 0
    vectors: int = 0
    days: dict[date, int] = field(default_factory=dict)
    seconds: float = 0.0


def view_texts(title: str, content: str) -> tuple[str, str, str]:
    """Texts of the views title, content and summary; where there is no content the title stands in.

    So every observation has all three, and a search over contents finds it too.
    """
    if not content.strip():
        return title, title, title
    return title, content, f"{title}\n\n{content[:SUMMARY_CHARACTERS]}"


def embed_pending(
    conn: psycopg.Connection[Any],
    embedder: Embedder,
    index: VectorIndex,
    *,
    days: Sequence[date] | None = None,
    max_rows: int,
    progress: Callable[[int], None] | None = None,
) -> EmbeddingReport:
    """Embeds at most `max_rows` pending observations (of these partition days), a batch a transaction.

    The caller holds the job's lock; `index` writes through `conn` if it is pgvector. `progress` is
    called with the number of observations of each batch.
    """
    began = time.monotonic()
    report = EmbeddingReport()
    after = 0
    apart = Apart(conn, "the vectors")

    def page_of(ids: Sequence[int] | None, limit: int) -> list[tuple[Any, ...]]:
        return conn.execute(
            _PAGE,
            {
                "after": after if ids is None else 0,
                "model": embedder.name,
                "days": None if days is None else list(days),
                "ids": None if ids is None else list(ids),
                "limit": limit,
            },
        ).fetchall()

    def embed(ids: Sequence[int]) -> None:
        # Read again, as what failed before has let go of its rows.
        page = first if len(ids) == len(first) else page_of(ids, len(ids))
        if page:
            report.vectors += index.upsert(_embed(embedder, page))
            conn.execute(_NAME_VECTORS, ([row[0] for row in page],))
            # What was decided before these vectors were there is decided again.
            mark_changed(conn, [row[1] for row in page])

    while report.observations < max_rows:
        first = page_of(None, min(BATCH_OBSERVATIONS, max_rows - report.observations))
        if not first:
            break
        done = set(apart.run([row[0] for row in first], embed))
        after = first[-1][0]
        report.observations += len(done)
        for observation, *_, day in first:
            if day is not None and observation in done:
                report.days[day] = report.days.get(day, 0) + 1
        if progress is not None:
            progress(len(done))
    conn.commit()
    apart.finish()
    report.seconds = time.monotonic() - began
    return report


def _embed(embedder: Embedder, page: Sequence[tuple[Any, ...]]) -> Vectors:
    import numpy as np

    texts = [view_texts(title, content) for _, _, _, title, content, _ in page]
    # Many texts come several times (a title without content is all three views): embed each once.
    places: dict[str, int] = {}
    rows = [places.setdefault(three[view], len(places)) for view in range(3) for three in texts]
    views: list[View] = [view for view in VIEWS for _ in page]
    return Vectors(
        model=embedder.name,
        workspace_ids=[row[1] for row in page] * len(VIEWS),
        observation_ids=[row[0] for row in page] * len(VIEWS),
        views=views,
        vectors=embedder.embed(list(places))[np.asarray(rows)],
    )
