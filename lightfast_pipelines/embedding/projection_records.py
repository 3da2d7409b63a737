"""Reads things as the records that a hosted index holds of them.

Metadata has only what a search filters by or shows at once: times as numbers in milliseconds, texts of
bounded length, and no null. Texts in the tables are masked already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import msgspec

from lightfast_pipelines.embedding.index import Layer, VectorRecord
from lightfast_pipelines.embedding.pinecone_names import vector_id
from lightfast_pipelines.store.database import Connection

_TITLE = 200
_SNIPPET = 500


class IndexedItem(NamedTuple):
    """What an index has vectors of."""

    workspace_id: int
    layer: Layer
    key: str


# A person is all of their identities, so who did it is said by identity: a merge changes no vector.
_OBSERVATIONS: LiteralString = f"""
SELECT o.workspace_id, o.external_id, v.view, v.vector::text, o.title, left(o.content, {_SNIPPET}),
       o.source, o.source_type, o.observation_type, o.category, o.occurred_at, o.significance_score,
       o.cluster_id, author.source || ':' || author.source_id, doer.source || ':' || doer.source_id,
       coalesce(a.display_name, author.source_name, author.source_username)
FROM unnest(%(workspaces)s::bigint[], %(keys)s::text[]) AS k (workspace_id, key)
JOIN lightfast.observations o ON o.external_id = k.key AND o.workspace_id = k.workspace_id
JOIN lightfast.observation_vectors v ON v.observation_id = o.id AND v.model = %(model)s
LEFT JOIN lightfast.actor_identities author
  ON author.id = coalesce(o.author_identity_id, o.actor_identity_id)
LEFT JOIN lightfast.actor_identities doer ON doer.id = o.actor_identity_id
LEFT JOIN lightfast.actors a ON a.id = author.actor_id
WHERE NOT o.is_deleted AND l2_norm(v.vector) > 0
"""

_DERIVED: LiteralString = """
SELECT v.workspace_id, v.layer, v.key, v.vector::text, v.title, v.snippet, v.source, v.kind,
       v.occurred_at, v.significance
FROM unnest(%(workspaces)s::bigint[], %(layers)s::text[], %(keys)s::text[]) AS k (workspace_id, layer, key)
JOIN lightfast.memory_vectors v USING (workspace_id, layer, key)
WHERE v.model = %(model)s AND vector_norm(v.vector) > 0
"""


def read_records(
    conn: Connection, things: Sequence[IndexedItem], model: str
) -> Mapping[IndexedItem, list[VectorRecord]]:
    """The records of each thing, by this model; none for a thing that is gone or has no such vector."""
    records: dict[IndexedItem, list[VectorRecord]] = defaultdict(list)
    for thing, record in (*_observations(conn, things, model), *_derived(conn, things, model)):
        records[thing].append(record)
    return records


def _observations(
    conn: Connection, things: Sequence[IndexedItem], model: str
) -> Iterator[tuple[IndexedItem, VectorRecord]]:
    wanted = [thing for thing in things if thing.layer == "observations"]
    if not wanted:
        return
    rows = conn.execute(
        _OBSERVATIONS,
        {
            "workspaces": [thing.workspace_id for thing in wanted],
            "keys": [thing.key for thing in wanted],
            "model": model,
        },
    )
    for workspace_id, key, view, vector, title, snippet, source, kind, *more in rows:
        observation_type, category, at, significance, cluster, author, doer, name = more
        metadata = {
            **_common("observations", key, model, title, at, significance),
            "view": view,
            "source": source,
            "kind": kind,
            "type": observation_type,
            "category": category,
            "snippet": "" if view == "title" else snippet,
            "cluster": cluster,
            "identities": sorted({identity for identity in (author, doer) if identity}),
            "actor": name,
        }
        yield (
            IndexedItem(workspace_id, "observations", key),
            _record(vector_id("observations", key, view), vector, metadata),
        )


def _derived(
    conn: Connection, things: Sequence[IndexedItem], model: str
) -> Iterator[tuple[IndexedItem, VectorRecord]]:
    wanted = [thing for thing in things if thing.layer != "observations"]
    if not wanted:
        return
    rows = conn.execute(
        _DERIVED,
        {
            "workspaces": [thing.workspace_id for thing in wanted],
            "layers": [thing.layer for thing in wanted],
            "keys": [thing.key for thing in wanted],
            "model": model,
        },
    )
    for workspace_id, layer, key, vector, title, snippet, source, kind, at, significance in rows:
        metadata = {
            **_common(layer, key, model, title, at, significance),
            "source": source,
            "kind": kind,
            "snippet": snippet,
        }
        yield (
            IndexedItem(workspace_id, layer, key),
            _record(vector_id(layer, key), vector, metadata),
        )


def _common(
    layer: Layer, key: str, model: str, title: str, at: datetime, significance: int
) -> dict[str, Any]:
    return {
        "layer": layer,
        "key": key,
        "model": model,
        "title": title[:_TITLE],
        "occurred_at": round(at.timestamp() * 1000),
        "significance": significance,
    }


def _record(identifier: str, vector: str, metadata: Mapping[str, Any]) -> VectorRecord:
    import numpy as np

    values = np.asarray(msgspec.json.decode(vector, type=list[float]), np.float32)
    known = {name: value for name, value in metadata.items() if value not in (None, "", [])}
    return VectorRecord(identifier, values, known)
