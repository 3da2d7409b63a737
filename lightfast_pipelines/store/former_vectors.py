"""Deletes the vectors of former local models, where the current one has made its own.

Those of hosted models are in `hosted_vectors.py`: a former hosted model serves searches until the current
one has everything.
"""

from __future__ import annotations

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import OTHER_LOCAL_MODELS


def delete_former_vectors(conn: Connection, model: str, *, at_most: int, page: int = 5_000) -> int:
    """Deletes the vectors of at most `at_most` observations, and returns how many vectors these were.

    `model` is the current local one. Commits after each page.
    """
    observations = vectors = 0
    for former in _former_models(conn, model):
        while observations < at_most:
            size = min(page, at_most - observations)
            found, deleted = _delete_page(conn, former, model, size)
            conn.commit()
            observations, vectors = observations + found, vectors + deleted
            if found < size:
                break
    return vectors


def _former_models(conn: Connection, model: str) -> list[str]:
    rows = conn.execute(OTHER_LOCAL_MODELS, {"model": model}).fetchall()
    conn.commit()
    return [row[0] for row in rows]


def _delete_page(conn: Connection, former: str, model: str, size: int) -> tuple[int, int]:
    """(observations, vectors) that were deleted.

    Observations that capture is rewriting are left to the next night: it deletes their vectors itself, in
    another order, and the two could wait for each other.
    """
    row = conn.execute(
        """
        WITH replaced AS (
          SELECT f.observation_id FROM lightfast.observation_vectors f
          JOIN lightfast.observation_facts o ON o.id = f.observation_id
          WHERE f.view = 'title' AND f.model = %(former)s AND EXISTS (
            SELECT FROM lightfast.observation_vectors n
            WHERE n.observation_id = f.observation_id AND n.view = 'title' AND n.model = %(model)s)
          LIMIT %(size)s FOR NO KEY UPDATE OF o SKIP LOCKED
        ), deleted AS (
          DELETE FROM lightfast.observation_vectors v USING replaced
          WHERE v.observation_id = replaced.observation_id AND v.model = %(former)s
          RETURNING 1
        )
        SELECT (SELECT count(*) FROM replaced), (SELECT count(*) FROM deleted)
        """,
        {"former": former, "model": model, "size": size},
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
