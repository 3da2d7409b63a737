"""Searches the vectors of a layer: in the hosted index if it can answer, else in Postgres, saying which.

A hosted index may hold what is gone by now, so every hit of it is looked up in the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from lightfast_pipelines.embedding.index import (
    NO_FILTERS,
    VIEWS,
    Filters,
    Hit,
    HostedIndex,
    IndexAway,
    IndexUnusable,
    Layer,
    LayeredIndex,
    Tenant,
)
from lightfast_pipelines.embedding.pgvector import PgVectorIndex, literal
from lightfast_pipelines.embedding.projection_state import read_state, record_index_usage
from lightfast_pipelines.store.database import Connection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, nearest first, the index that found them, and why it was not the hosted one."""

    hits: Sequence[Hit]
    answered_by: str
    why: str | None = None


def search_layer(  # noqa: PLR0913 - what a search consists of
    conn: Connection,
    hosted: HostedIndex | None,
    tenant: Tenant,
    layer: Layer,
    vector: NDArray[np.float32],
    k: int,
    *,
    model: str,
    now: datetime,
    filters: Filters = NO_FILTERS,
) -> SearchAnswer:
    """The k nearest things of a workspace's layer. The caller commits the usage that it records.

    `model` made `vector`: the local embedder, or the hosted model that `serving_model` names for the
    workspace, which `openai_embedder` makes by this name.
    """
    local: LayeredIndex = PgLayers(conn)
    why = None if hosted is None else _why_not(conn, hosted, model, now)
    if hosted is not None and why is None:
        try:
            hits = hosted.search(tenant, layer, vector, k, model=model, filters=filters)
            return SearchAnswer(_existing(conn, tenant, layer, hits), hosted.name)
        except (IndexAway, IndexUnusable) as error:
            why = str(error)
        finally:
            record_index_usage(conn, hosted, now)
    hits = local.search(tenant, layer, vector, k, model=model, filters=filters)
    return SearchAnswer(hits, local.name, why)


def _why_not(conn: Connection, hosted: HostedIndex, model: str, now: datetime) -> str | None:
    state = read_state(conn)
    if state is None:
        return f"{hosted.name} is not filled yet"
    return state.why_not(hosted.name, model, now)


def _existing(conn: Connection, tenant: Tenant, layer: Layer, hits: Sequence[Hit]) -> list[Hit]:
    query: LiteralString = (
        """
        SELECT external_id FROM lightfast.observations
        WHERE workspace_id = %(workspace)s AND external_id = ANY(%(keys)s) AND NOT is_deleted
        """
        if layer == "observations"
        else """
        SELECT key FROM lightfast.memory_vectors
        WHERE workspace_id = %(workspace)s AND layer = %(layer)s AND key = ANY(%(keys)s)
        """
    )
    parameters = {
        "workspace": tenant.workspace_id,
        "layer": layer,
        "keys": [hit.key for hit in hits],
    }
    existing = {key for (key,) in conn.execute(query, parameters)}
    return [hit for hit in hits if hit.key in existing]


# A thing has a vector per view: its nearest one counts.
_OBSERVATIONS: LiteralString = """
SELECT key, similarity, view FROM (
  SELECT DISTINCT ON (o.external_id) o.external_id AS key, v.view,
         1 - (v.vector <=> %(vector)s::halfvec) AS similarity
  FROM lightfast.observation_vectors v JOIN lightfast.observations o ON o.id = v.observation_id
  LEFT JOIN lightfast.actor_identities author ON author.id = o.author_identity_id
  LEFT JOIN lightfast.actor_identities doer ON doer.id = o.actor_identity_id
  WHERE v.workspace_id = %(workspace)s AND v.model = %(model)s
    AND NOT o.is_deleted
    AND (%(sources)s::text[] IS NULL OR o.source = ANY(%(sources)s))
    AND (%(kinds)s::text[] IS NULL OR o.source_type = ANY(%(kinds)s))
    AND (%(since)s::timestamptz IS NULL OR o.occurred_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR o.occurred_at < %(before)s)
    AND (%(significance)s::int IS NULL OR o.significance_score >= %(significance)s)
    AND (%(identities)s::text[] IS NULL
         OR author.source || ':' || author.source_id = ANY(%(identities)s)
         OR doer.source || ':' || doer.source_id = ANY(%(identities)s))
  ORDER BY o.external_id, v.vector <=> %(vector)s::halfvec
) nearest
-- That of zeros is no number.
WHERE similarity <> 'NaN'
ORDER BY similarity DESC, key LIMIT %(k)s
"""

_DERIVED: LiteralString = """
SELECT v.key, 1 - (v.vector <=> %(vector)s::vector) AS similarity
FROM lightfast.memory_vectors v
WHERE v.workspace_id = %(workspace)s AND v.layer = %(layer)s AND v.model = %(model)s
  AND vector_norm(v.vector) > 0
  AND (%(sources)s::text[] IS NULL OR v.source = ANY(%(sources)s))
  AND (%(kinds)s::text[] IS NULL OR v.kind = ANY(%(kinds)s))
  AND (%(since)s::timestamptz IS NULL OR v.occurred_at >= %(since)s)
  AND (%(before)s::timestamptz IS NULL OR v.occurred_at < %(before)s)
  AND (%(significance)s::int IS NULL OR v.significance >= %(significance)s)
  AND %(identities)s::text[] IS NULL
ORDER BY similarity DESC, v.key LIMIT %(k)s
"""


class PgLayers:
    """Searches all layers in Postgres, exactly where there are filters; vectors of any length fit."""

    name = "pgvector"

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def search(
        self,
        tenant: Tenant,
        layer: Layer,
        vector: NDArray[np.float32],
        k: int,
        *,
        model: str,
        filters: Filters = NO_FILTERS,
    ) -> list[Hit]:
        if layer == "observations" and filters == NO_FILTERS:
            return self._nearest_observations(tenant, vector, k, model)
        query = _OBSERVATIONS if layer == "observations" else _DERIVED
        parameters = {
            "vector": literal(vector),
            "workspace": tenant.workspace_id,
            "layer": layer,
            "model": model,
            "sources": list(filters.sources) or None,
            "kinds": list(filters.kinds) or None,
            "identities": list(filters.identities) or None,
            "since": filters.since,
            "before": filters.before,
            "significance": filters.least_significance,
            "k": k,
        }
        rows: list[tuple[Any, ...]] = self._conn.execute(query, parameters).fetchall()
        return [Hit(layer, *row) for row in rows]

    def _nearest_observations(
        self, tenant: Tenant, vector: NDArray[np.float32], k: int, model: str
    ) -> list[Hit]:
        near = PgVectorIndex(self._conn).search(
            tenant.workspace_id, vector, k * len(VIEWS), model=model
        )
        rows = self._conn.execute(
            "SELECT id, external_id FROM lightfast.observations WHERE id = ANY(%s) AND NOT is_deleted",
            ([row.observation_id for row in near],),
        )
        keys: dict[int, str] = dict(rows.fetchall())
        best: dict[str, Hit] = {}
        for row in near:
            if key := keys.get(row.observation_id):
                best.setdefault(key, Hit("observations", key, row.similarity, row.view))  # type: ignore[arg-type]
        return list(best.values())[:k]
