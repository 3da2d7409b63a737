"""Finds observations whose title, content or summary means nearly the same: the best of the three counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from lightfast_pipelines.embedding.index import VIEWS
from lightfast_pipelines.embedding.pgvector import PgVectorIndex, literal
from lightfast_pipelines.search.conditions import ALLOWED, Conditions
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.vector_indexes import half_precision, has_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Up to so many observations that meet the conditions, all of their vectors are compared.
_COMPARED = 2_000
# With conditions the index is searched further, but not without end: of its nearest vectors, so many.
_MOST_SCANNED = 20_000
_EF = 200

_NEAREST = """
SELECT n.observation_id, max(1 - n.distance) AS similarity FROM ({nearest}) n
WHERE n.distance <> 'NaN' GROUP BY 1 ORDER BY 2 DESC, 1 DESC LIMIT %(limit)s
"""


def nearest(
    conn: Connection, conditions: Conditions, vector: NDArray[np.float32], model: str, limit: int
) -> dict[int, float]:
    """Observation -> its similarity, the nearest first."""
    if not conditions.is_restricted:
        rows = PgVectorIndex(conn).search(
            conditions.workspace, vector, limit * len(VIEWS), model=model
        )
        found: dict[int, float] = {}
        for row in rows:
            if row.observation_id <= conditions.until:
                found.setdefault(row.observation_id, row.similarity)
        return dict(list(found.items())[:limit])
    parameters = {
        **conditions.parameters,
        "vector": literal(vector),
        "model": model,
        "limit": limit,
    }
    few = _few_that_are_allowed(conn, conditions)
    if few is not None:
        query = sql.SQL(
            _NEAREST.format(
                nearest="""
                SELECT v.observation_id, v.vector <=> %(vector)s::halfvec AS distance
                FROM lightfast.observation_vectors v
                WHERE v.observation_id = ANY(%(few)s) AND v.model = %(model)s
                """
            )
        )
        return dict(conn.execute(query, {**parameters, "few": few}).fetchall())
    if not has_index(conn, conditions.workspace, model):
        return dict(conn.execute(_scan(), parameters).fetchall())
    conn.execute(f"SET LOCAL hnsw.ef_search = {_EF}".encode())
    conn.execute(f"SET LOCAL hnsw.max_scan_tuples = {_MOST_SCANNED}".encode())
    conn.execute("SET LOCAL hnsw.iterative_scan = strict_order")
    return dict(
        conn.execute(_by_index(conditions.workspace, model, len(vector)), parameters).fetchall()
    )


def _few_that_are_allowed(conn: Connection, conditions: Conditions) -> list[int] | None:
    """The observations that meet the conditions, unless they are many or it is not known."""
    marks = conditions.marks()
    if not marks:
        return None
    rows = conn.execute(
        "SELECT observation_id FROM lightfast.observation_words WHERE words @@ %s::tsquery LIMIT %s",
        (" & ".join(marks), _COMPARED + 1),
    ).fetchall()
    if len(rows) > _COMPARED:
        return None
    allowed = conn.execute(
        f"SELECT f.id FROM lightfast.observation_facts f WHERE f.id = ANY(%(ids)s) AND {ALLOWED}",
        {**conditions.parameters, "ids": [row[0] for row in rows]},
    )
    return [row[0] for row in allowed]


def _scan() -> sql.SQL:
    return sql.SQL(
        _NEAREST.format(
            nearest=f"""
            SELECT v.observation_id, v.vector <=> %(vector)s::halfvec AS distance
            FROM lightfast.observation_vectors v
            JOIN lightfast.observation_facts f ON f.id = v.observation_id
            WHERE v.workspace_id = %(workspace)s AND v.model = %(model)s AND {ALLOWED}
            """
        )
    )


def _by_index(workspace: int, model: str, dimensions: int) -> sql.Composed:
    return sql.SQL(
        _NEAREST.format(
            nearest=f"""
            SELECT v.observation_id, v.vector <=> %(vector)s::halfvec AS distance
            FROM lightfast.observation_vectors v
            JOIN lightfast.observation_facts f ON f.id = v.observation_id
            WHERE v.workspace_id = {{workspace}} AND v.model = {{model}} AND {ALLOWED}
            ORDER BY v.{{column}} <=> %(vector)s::halfvec({{dimensions}})
            LIMIT {{most}}
            """
        )
    ).format(
        # Written into the statement: a partial index is used only where its condition is certain.
        workspace=sql.Literal(workspace),
        model=sql.Literal(model),
        column=half_precision(dimensions),
        dimensions=sql.Literal(dimensions),
        most=sql.Literal(300),
    )


def similarities(
    conn: Connection, vector: NDArray[np.float32], model: str, observations: Sequence[int]
) -> dict[int, dict[str, float]]:
    """Observation -> view -> similarity, of these observations."""
    rows = conn.execute(
        """
        SELECT observation_id, view, 1 - (vector <=> %s::halfvec) FROM lightfast.observation_vectors
        WHERE observation_id = ANY(%s) AND model = %s
        """,
        (literal(vector), list(observations), model),
    )
    found: dict[int, dict[str, float]] = {}
    for observation, view, similarity in rows:
        if not math.isnan(similarity):  # that of zeros is no number
            found.setdefault(observation, {})[view] = float(similarity)
    return found
