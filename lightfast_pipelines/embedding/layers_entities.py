"""Embeds entities by their narratives: those that changed, and those related to them.

An entity whose narrative is the same as before is not embedded again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import TYPE_CHECKING, Any, LiteralString

from lightfast_pipelines.domain.narratives import (
    LATEST_EVENTS,
    RELATED_ENTITIES,
    RULE_VERSION,
    NarratedEntity,
    NarratedEvent,
    narrate,
)
from lightfast_pipelines.embedding.embedder import Embedder, RefusedTextError
from lightfast_pipelines.embedding.pgvector import literal
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

# Of a thing with a thousand relationships, only a few neighbours name it among their own first five.
_MOST_NEIGHBOURS = 20
_AT_ONCE = 1_000
_SNIPPET = 500

# A title or a new event of an entity also changes the narratives of those that are related to it.
_WITH_NEIGHBOURS: LiteralString = """
SELECT k.key FROM unnest(%(keys)s::text[]) AS k (key)
UNION
SELECT n.key
FROM unnest(%(keys)s::text[]) AS k (key)
JOIN lightfast.entities e ON e.workspace_id = %(workspace)s AND e.key = k.key
CROSS JOIN LATERAL (
  SELECT t.key FROM (
    SELECT r.object_id AS id, r.last_seen_at FROM lightfast.relationships r WHERE r.subject_id = e.id
    UNION ALL
    SELECT r.subject_id, r.last_seen_at FROM lightfast.relationships r WHERE r.object_id = e.id
  ) r
  JOIN lightfast.entities t ON t.id = r.id
  WHERE lightfast.has_entity_vector(t.key)
  ORDER BY r.last_seen_at DESC, t.key LIMIT %(most)s
) n
ORDER BY 1
"""

_ENTITIES: LiteralString = """
SELECT e.key, e.category, coalesce(nullif(e.value, ''), e.key), e.first_seen_at, e.last_seen_at,
       e.occurrence_count, first.source, first.at, first.action, first.title, latest.at, latest.action,
       latest.title, latest.significance, related.type, related.name
FROM unnest(%(keys)s::text[]) AS k (key)
JOIN lightfast.entities e ON e.workspace_id = %(workspace)s AND e.key = k.key AND NOT e.is_stub
CROSS JOIN LATERAL (
  SELECT o.source, o.occurred_at AS at, o.source_type AS action, o.title
  FROM lightfast.observations o
  WHERE o.workspace_id = %(workspace)s AND o.subject_key = e.key AND NOT o.is_deleted
  ORDER BY o.occurred_at, o.source_id LIMIT 1
) first
CROSS JOIN LATERAL (
  SELECT array_agg(o.occurred_at) AS at, array_agg(o.source_type) AS action,
         array_agg(o.title) AS title, max(o.significance_score) AS significance
  FROM (
    SELECT o.occurred_at, o.source_type, o.title, o.significance_score
    FROM lightfast.observations o
    WHERE o.workspace_id = %(workspace)s AND o.subject_key = e.key AND NOT o.is_deleted
    ORDER BY o.occurred_at DESC, o.source_id DESC LIMIT %(latest)s
  ) o
) latest
LEFT JOIN LATERAL (
  SELECT array_agg(r.type) AS type, array_agg(r.name) AS name
  FROM (
    SELECT r.type, t.value AS name
    FROM (
      SELECT r.type, r.object_id AS id, r.last_seen_at
      FROM lightfast.relationships r WHERE r.subject_id = e.id
      UNION ALL
      SELECT '<- ' || r.type, r.subject_id, r.last_seen_at
      FROM lightfast.relationships r WHERE r.object_id = e.id
    ) r
    JOIN lightfast.entities t ON t.id = r.id
    WHERE NOT t.is_stub AND t.value <> '' AND r.type NOT IN ('mentions', 'on_branch', 'co_occurs')
    ORDER BY lightfast.has_entity_vector(t.key) DESC, r.last_seen_at DESC, t.key, r.type
    LIMIT %(related)s
  ) r
) related ON true
WHERE %(model)s::text IS NULL OR EXISTS (
  SELECT FROM lightfast.observations o
  JOIN lightfast.observation_vectors v
    ON v.observation_id = o.id AND v.view = 'title' AND v.model = %(model)s
  WHERE o.workspace_id = %(workspace)s AND o.subject_key = e.key)
ORDER BY e.key
"""

_COLUMNS = (
    "workspace_id", "layer", "key", "model", "content_hash", "vector", "title", "snippet", "source",
    "kind", "occurred_at", "significance", "rule_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Narrative:
    """An entity's text, and the columns of its row that are not made of the text."""

    key: str
    text: str
    title: str
    source: str
    kind: str
    occurred_at: datetime
    significance: int

    @property
    def hash(self) -> str:
        facts = f"{RULE_VERSION}\0{self.text}\0{self.significance}"
        return hashlib.sha256(facts.encode("utf-8", "replace")).hexdigest()[:32]


def embed_entities(
    conn: Connection,
    workspace: int,
    embedder: Embedder,
    keys: Sequence[str],
    *,
    only_embedded: bool = False,
) -> tuple[int, int]:
    """Embeds these entities and their neighbours; returns the numbers of vectors written and deleted.

    With `only_embedded`, only those of which the model has embedded an observation: a model that costs
    money embeds significant observations alone.
    """
    parameters = {"workspace": workspace, "keys": list(keys), "most": _MOST_NEIGHBOURS}
    affected = [key for (key,) in conn.execute(_WITH_NEIGHBOURS, parameters)]
    written = deleted = 0
    for start in range(0, len(affected), _AT_ONCE):
        part = affected[start : start + _AT_ONCE]
        model = embedder.name if only_embedded else None
        narratives = list(_narratives(conn, workspace, part, model))
        kept = {narrative.key for narrative in narratives}
        deleted += conn.execute(
            """
            DELETE FROM lightfast.memory_vectors
            WHERE workspace_id = %(workspace)s AND layer = 'entities' AND key = ANY(%(keys)s)
              AND (%(model)s::text IS NULL OR model = %(model)s)
            """,
            {
                "workspace": workspace,
                "keys": [key for key in part if key not in kept],
                "model": model,
            },
        ).rowcount
        changed = _changed(conn, workspace, embedder.name, narratives)
        if changed:
            written += _write(conn, workspace, embedder, changed)
    return written, deleted


def _narratives(
    conn: Connection, workspace: int, keys: Sequence[str], model: str | None
) -> Iterator[_Narrative]:
    """Those of which `model` has embedded an observation, or all without a model."""
    parameters = {
        "model": model,
        "workspace": workspace,
        "keys": list(keys),
        "latest": LATEST_EVENTS,
        "related": RELATED_ENTITIES,
    }
    for row in conn.execute(_ENTITIES, parameters):
        key, category, name, first_seen, last_seen, events, source, at, action, title, *lists = row
        times, actions, titles, significance, types, names = lists
        narrated = NarratedEntity(
            category=category,
            key=key,
            name=name,
            first_seen=first_seen,
            last_seen=last_seen,
            events=events,
            first=NarratedEvent(at, action, title),
            latest=[NarratedEvent(*event) for event in zip(times, actions, titles, strict=True)],
            related=list(zip(types or (), names or (), strict=True)),
        )
        yield _Narrative(key, narrate(narrated), name, source, category, times[0], significance)


def _changed(
    conn: Connection, workspace: int, model: str, narratives: Sequence[_Narrative]
) -> list[_Narrative]:
    rows = conn.execute(
        """
        SELECT key, content_hash FROM lightfast.memory_vectors
        WHERE workspace_id = %s AND layer = 'entities' AND key = ANY(%s) AND model = %s
        """,
        (workspace, [narrative.key for narrative in narratives], model),
    )
    hashes: dict[str, str] = dict(rows.fetchall())
    return [narrative for narrative in narratives if hashes.get(narrative.key) != narrative.hash]


def _embed(
    embedder: Embedder, narratives: Sequence[_Narrative], *, is_well: bool = False
) -> list[tuple[_Narrative, NDArray[np.float32]]]:
    """The narratives with their vectors, without those that the model refuses alone.

    Raises ServiceUnavailableError if it refuses any text, unless it `is_well`.
    """
    try:
        vectors = embedder.embed([narrative.text for narrative in narratives])
    except RefusedTextError as error:
        if not is_well:
            _try_out(embedder)
        if len(narratives) == 1:
            _log.warning("%s makes no vector of %s: %s", embedder.name, narratives[0].key, error)
            return []
        middle = len(narratives) // 2
        halves = (narratives[:middle], narratives[middle:])
        return [pair for half in halves for pair in _embed(embedder, half, is_well=True)]
    return list(zip(narratives, vectors, strict=True))


def _try_out(embedder: Embedder) -> None:
    try:
        embedder.embed(["test"])
    except RefusedTextError as error:
        raise ServiceUnavailableError(f"no text at all is embedded: {error}") from None


def _write(
    conn: Connection, workspace: int, embedder: Embedder, narratives: Sequence[_Narrative]
) -> int:
    embedded = _embed(embedder, narratives)

    def values(narrative: _Narrative, vector: Any) -> tuple[Any, ...]:
        return (
            *(workspace, "entities", narrative.key, embedder.name, narrative.hash),
            literal(vector),
            *(narrative.title[:200], narrative.text[:_SNIPPET], narrative.source, narrative.kind),
            *(narrative.occurred_at, narrative.significance, RULE_VERSION),
        )

    staged = stage(conn, "memory_vectors", _COLUMNS, starmap(values, embedded))
    names = ", ".join(_COLUMNS)
    changing = _COLUMNS[4:]
    return conn.execute(
        f"""
        INSERT INTO lightfast.memory_vectors ({names})
        SELECT {names} FROM {staged} ORDER BY key
        ON CONFLICT (workspace_id, layer, key, model) DO UPDATE
          SET ({", ".join(changing)}, made_at) =
            ({", ".join(f"excluded.{name}" for name in changing)}, now())
        """
    ).rowcount
