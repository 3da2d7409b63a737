"""The vector index in the memory's own Postgres: `lightfast.observation_vectors`, by pgvector.

Search is exact below 50,000 vectors of a workspace: it scans their rows. Larger workspaces have an
approximate index (HNSW); `python -m bench.vector_search` measures both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from psycopg import sql

from lightfast_pipelines.domain.views import RULE_VERSION
from lightfast_pipelines.embedding.index import Neighbour, Vectors, View
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.vector_indexes import half_precision, has_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Column order of the temporary table and of the binary COPY below.
_COPY = "COPY lightfast_new_vectors (observation_id, view, vector) FROM STDIN (FORMAT BINARY)"
# Candidates of the index for each row that is asked for, and their least number.
_CANDIDATES = 2
_LEAST_CANDIDATES = 40
# How many candidates the index keeps in sight while it searches: among 60,000 vectors recall@10 is 0.97
# with 200, and 0.05 less with 100.
_EF = 200


def literal(vector: NDArray[np.float32]) -> str:
    """The vector as Postgres reads it; a `halfvec` rounds it to half precision."""
    from pgvector import Vector

    return Vector(vector).to_text()


def stored_dimensions(conn: Connection, model: str) -> int | None:
    """Dimensions of the stored vectors of this model; None if there are none."""
    row = conn.execute(
        """
        SELECT vector_dims(vector) FROM lightfast.observation_vectors
        WHERE model = %s AND view = 'title' LIMIT 1
        """,
        (model,),
    ).fetchone()
    return row[0] if row else None


class PgVectorIndex:
    """Reads and writes on the given connection, inside its transaction; the caller commits.

    So an observation and its vectors become visible together, and a rollback leaves no orphan.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def upsert(self, batch: Vectors) -> int:
        """Writes the rows by binary COPY: half a KiB per vector and no parsing, instead of 3 KiB as text."""
        count, dimensions = batch.vectors.shape
        if not count:
            return 0
        self._check_dimensions(batch.model, dimensions)
        with self._conn.cursor() as cursor:
            cursor.execute(
                """
                CREATE TEMPORARY TABLE IF NOT EXISTS lightfast_new_vectors
                  (observation_id bigint, view text, vector halfvec) ON COMMIT DELETE ROWS
                """
            )
            cursor.execute("TRUNCATE lightfast_new_vectors")
            with cursor.copy(_COPY) as copy:
                copy.write(_binary_rows(batch))
            # The workspace comes from the observation, and one that was deleted meanwhile gets no vector.
            cursor.execute(
                """
                INSERT INTO lightfast.observation_vectors
                  (observation_id, view, model, rule_version, workspace_id, vector)
                SELECT n.observation_id, n.view, %s, %s, o.workspace_id, n.vector
                FROM lightfast_new_vectors n
                JOIN lightfast.observation_facts o ON o.id = n.observation_id AND NOT o.is_deleted
                ON CONFLICT (observation_id, view, model)
                DO UPDATE SET vector = excluded.vector, workspace_id = excluded.workspace_id,
                              rule_version = excluded.rule_version
                """,
                (batch.model, RULE_VERSION),
            )
            return cursor.rowcount

    def _check_dimensions(self, model: str, dimensions: int) -> None:
        """Raises ValueError if the stored vectors of this model have others: they cannot be compared."""
        stored = stored_dimensions(self._conn, model)
        if stored is not None and stored != dimensions:
            raise ValueError(
                f"model {model} makes {dimensions} dimensions, its stored vectors have {stored}"
            )

    def search(
        self,
        workspace_id: int,
        vector: NDArray[np.float32],
        k: int,
        *,
        model: str,
        view: View | None = None,
    ) -> list[Neighbour]:
        """The k nearest rows of one workspace and model, nearest first; equal ones by observation.

        Exact, unless the workspace is so large that it has an index (`store/vector_indexes.py`).
        """
        parameters = {
            "vector": literal(vector),
            "workspace": workspace_id,
            "model": model,
            "view": view,
            "k": k,
        }
        if has_index(self._conn, workspace_id, model):
            return self._search_index(len(vector), parameters)
        rows = self._conn.execute(
            """
            SELECT observation_id, view, 1 - distance AS similarity
            FROM (
              SELECT observation_id, view, vector <=> %(vector)s::halfvec AS distance
              FROM lightfast.observation_vectors
              WHERE workspace_id = %(workspace)s AND model = %(model)s
                AND (%(view)s::text IS NULL OR view = %(view)s)
              ORDER BY distance, observation_id, view
              LIMIT %(k)s
            ) nearest
            -- That of zeros is no number, and comes last. Asking for each length took as long as the search.
            WHERE distance <> 'NaN'
            """,
            parameters,
        ).fetchall()
        return [Neighbour(*row) for row in rows]

    def _search_index(self, dimensions: int, parameters: Mapping[str, Any]) -> list[Neighbour]:
        """The nearest rows by the index, ordered by their exact distance.

        The index holds numbers of half precision, so it gives some more candidates than are asked for.
        It goes on searching until enough are of the view, instead of filtering the first ones.
        """
        candidates = max(_LEAST_CANDIDATES, _CANDIDATES * parameters["k"])
        query = sql.SQL(
            """
            WITH nearest AS MATERIALIZED (
              SELECT observation_id, view, vector FROM lightfast.observation_vectors
              WHERE workspace_id = {workspace} AND model = {model}
                AND (%(view)s::text IS NULL OR view = %(view)s)
              ORDER BY {column} <=> {vector}::halfvec({dimensions}) LIMIT {candidates}
            )
            SELECT observation_id, view, 1 - (vector <=> {vector}::halfvec) AS similarity
            FROM nearest ORDER BY vector <=> {vector}::halfvec, observation_id, view LIMIT %(k)s
            """
        ).format(
            # Written into the statement: a partial index is used only where its condition is certain.
            workspace=sql.Literal(parameters["workspace"]),
            model=sql.Literal(parameters["model"]),
            column=half_precision(dimensions),
            dimensions=sql.Literal(dimensions),
            vector=sql.Placeholder("vector"),
            candidates=sql.Literal(candidates),
        )
        with self._conn.transaction():
            self._conn.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            self._conn.execute(
                sql.SQL("SET LOCAL hnsw.ef_search = {}").format(min(1_000, max(_EF, candidates)))
            )
            rows = self._conn.execute(query, parameters).fetchall()
        return [Neighbour(*row) for row in rows]


def _binary_rows(batch: Vectors) -> bytes:
    """The batch in Postgres's binary COPY format, pgvector's own layout for the vector.

    postgresql.org/docs/current/sql-copy.html, "Binary Format": a header, then per row the number of
    fields and per field its length and bytes, all big-endian. A vector is int16 dimensions, int16
    zero and its float16 numbers (pgvector, src/halfvec.c, halfvec_send).
    """
    import numpy as np

    dimensions = batch.vectors.shape[1]
    parts = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    # Rows of one view have one length, so each view's rows are one block of fixed-size records.
    views = np.asarray(batch.views)
    ids = np.asarray(batch.observation_ids, dtype=">i8")
    for view in sorted(set(batch.views)):
        name = view.encode()
        record = np.dtype(
            [
                ("fields", ">i2"),
                ("id_length", ">i4"),
                ("id", ">i8"),
                ("view_length", ">i4"),
                ("view", f"S{len(name)}"),
                ("vector_length", ">i4"),
                ("dimensions", ">i2"),
                ("zero", ">i2"),
                ("vector", ">f2", (dimensions,)),
            ]
        )
        chosen = views == view
        rows = np.zeros(int(chosen.sum()), record)
        rows["fields"] = 3
        rows["id_length"] = 8
        rows["id"] = ids[chosen]
        rows["view_length"] = len(name)
        rows["view"] = name
        rows["vector_length"] = 4 + 2 * dimensions
        rows["dimensions"] = dimensions
        rows["vector"] = batch.vectors[chosen]
        parts.append(rows.tobytes())
    parts.append(b"\xff\xff")
    return b"".join(parts)
