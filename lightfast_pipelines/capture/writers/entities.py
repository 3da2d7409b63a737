"""Writes entities; their names, times and counts follow from the mentions.

An entity's numbers are always those of its mentions: added where all a batch does is add, counted
anew where it also takes away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writers.stubs import Resolved, resolve
from lightfast_pipelines.domain.key_categories import category_of
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

Said = tuple[datetime, str, str]


@dataclass(slots=True)
class Numbers:
    """What a batch adds to one entity; `value` and `url` as (time, source_id, text)."""

    observations: set[int] = field(default_factory=set)
    confidence: float = 0.0
    times: list[datetime] = field(default_factory=list)
    value: Said | None = None
    url: Said | None = None
    aliases: set[str] = field(default_factory=set)


def ensure_entities(
    conn: Connection, places: Sequence[WorkspaceKey]
) -> tuple[dict[WorkspaceKey, int], set[WorkspaceKey]]:
    """(ids of these entities, those made now); the numbers of a new one are added afterwards."""
    if not places:
        return {}, set()
    wanted = sorted(places)
    columns = ([w for w, _ in wanted], [key for _, key in wanted])
    made = conn.execute(
        """
        INSERT INTO lightfast.entities
          (workspace_id, key, category, confidence, first_seen_at, last_seen_at, occurrence_count, is_stub)
        SELECT k.workspace_id, k.key, k.category, 0, now(), now(), 0, false
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, key, category)
        ON CONFLICT (workspace_id, key) DO NOTHING RETURNING workspace_id, key
        """,
        (*columns, [category_of(key) for key in columns[1]]),
    ).fetchall()
    rows = conn.execute(
        """
        SELECT e.workspace_id, e.key, e.id
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entities e USING (workspace_id, key)
        """,
        columns,
    )
    ids = {(workspace, key): identifier for workspace, key, identifier in rows}
    return ids, {(workspace, key) for workspace, key in made}


_STAGED = (
    "id",
    "confidence",
    "first_seen_at",
    "last_seen_at",
    "occurrence_count",
    "value",
    "value_stated_at",
    "value_stated_by",
    "url",
    "url_stated_at",
    "url_stated_by",
    "aliases",
)


def _later(name: str) -> str:
    """SET clauses that take a field where it was stated later: greatest (time, source_id, text)."""
    newer = (
        f"s.{name}_stated_at IS NOT NULL AND (e.{name}_stated_at IS NULL OR"
        f' (s.{name}_stated_at, s.{name}_stated_by, s.{name} COLLATE "C") >'
        f' (e.{name}_stated_at, e.{name}_stated_by, e.{name} COLLATE "C"))'
    )
    columns = (name, f"{name}_stated_at", f"{name}_stated_by")
    return ", ".join(f"{c} = CASE WHEN {newer} THEN s.{c} ELSE e.{c} END" for c in columns)


def add_numbers(conn: Connection, numbers: Mapping[int, Numbers]) -> None:
    if not numbers:
        return
    nothing = (None, None, None)
    rows = []
    for entity, one in sorted(numbers.items()):
        value, url = one.value or nothing, one.url or nothing
        rows.append(
            (
                entity,
                one.confidence,
                min(one.times),
                max(one.times),
                len(one.observations),
                *(value[2], value[0], value[1]),
                *(url[2], url[0], url[1]),
                sorted(one.aliases),
            )
        )
    staged = stage(conn, "entities", _STAGED, rows)
    conn.execute(
        f"""
        UPDATE lightfast.entities e SET
          confidence = greatest(e.confidence, s.confidence),
          first_seen_at = CASE WHEN e.occurrence_count = 0 THEN s.first_seen_at
                               ELSE least(e.first_seen_at, s.first_seen_at) END,
          last_seen_at = CASE WHEN e.occurrence_count = 0 THEN s.last_seen_at
                              ELSE greatest(e.last_seen_at, s.last_seen_at) END,
          occurrence_count = e.occurrence_count + s.occurrence_count,
          aliases = CASE WHEN e.aliases @> s.aliases THEN e.aliases ELSE
            ARRAY(SELECT DISTINCT a COLLATE "C" FROM unnest(e.aliases || s.aliases) a ORDER BY 1) END,
          {_later("value")}, {_later("url")}
        FROM {staged} s WHERE e.id = s.id
        """
    )


def count_again(conn: Connection, entities: Iterable[int]) -> Resolved:
    """Numbers, names and claims of these entities from all their mentions; those without any go.

    Returns the stubs that stand for something else because a claim went.
    """
    wanted = sorted(set(entities))
    if not wanted:
        return Resolved({}, frozenset(), frozenset())
    conn.execute(_RECOUNT, (wanted,))
    lost = conn.execute(
        """
        DELETE FROM lightfast.entity_aliases a USING lightfast.entities e
        WHERE e.id = a.entity_id AND e.id = ANY(%s)
          AND (e.occurrence_count = 0 OR NOT e.aliases @> ARRAY[a.alias])
        RETURNING a.workspace_id, a.alias
        """,
        (wanted,),
    ).fetchall()
    stubs = conn.execute(
        """
        SELECT DISTINCT l.workspace_id, l.stub_key
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, alias)
        JOIN lightfast.entity_lookups l ON l.workspace_id = k.workspace_id
         AND l.alias = replace(k.alias, ':ref:moved:', ':ref:')
        JOIN lightfast.entity_stubs s ON s.workspace_id = l.workspace_id AND s.key = l.stub_key
        UNION
        SELECT s.workspace_id, s.key FROM lightfast.entity_stubs s
        JOIN lightfast.entities e ON e.id = s.entity_id
        WHERE e.id = ANY(%s) AND e.occurrence_count = 0 AND NOT e.is_stub
        """,
        ([w for w, _ in lost], [alias for _, alias in lost], wanted),
    ).fetchall()
    resolved = resolve(conn, (), {(workspace, key) for workspace, key in stubs})
    further = resolved.entities - set(wanted)
    if resolved.entities:
        conn.execute(_RECOUNT, (sorted(resolved.entities),))
    _remove_unmentioned(conn, [*wanted, *further])
    return resolved


def _remove_unmentioned(conn: Connection, entities: Sequence[int]) -> None:
    conn.execute(
        """
        WITH gone AS (
          DELETE FROM lightfast.entities WHERE id = ANY(%s) AND occurrence_count = 0
          RETURNING id, workspace_id, key
        )
        DELETE FROM lightfast.entity_lookups l USING gone g
        WHERE l.workspace_id = g.workspace_id AND l.stub_key = g.key
          AND NOT EXISTS (
            SELECT FROM lightfast.entity_stubs s
            WHERE s.workspace_id = g.workspace_id AND s.key = g.key
              AND NOT EXISTS (SELECT FROM gone o WHERE o.id = s.entity_id))
        """,
        (list(entities),),
    )


def _said_last(name: str) -> str:
    """Subquery: what the entity's own mentions stated last of its value or address."""
    return f"""
      SELECT m.stated_{name} AS said, o.occurred_at AS at, o.source_id AS by
      FROM lightfast.observation_entities m JOIN lightfast.observations o ON o.id = m.observation_id
      WHERE m.entity_id = own.id AND m.stated_key = own.key AND NOT own.is_stub
        AND m.stated_{name} IS NOT NULL
      ORDER BY o.occurred_at DESC, o.source_id DESC, m.stated_{name} COLLATE "C" DESC LIMIT 1
    """


_RECOUNT = f"""
    UPDATE lightfast.entities e SET
      occurrence_count = s.observations, confidence = coalesce(s.confidence, 0),
      first_seen_at = coalesce(s.first, e.first_seen_at), last_seen_at = coalesce(s.last, e.last_seen_at),
      aliases = coalesce(s.aliases, '{{}}'),
      value = s.value, value_stated_at = s.value_at, value_stated_by = s.value_by,
      url = s.url, url_stated_at = s.url_at, url_stated_by = s.url_by
    FROM (
      SELECT own.id, n.*, a.aliases, v.said AS value, v.at AS value_at, v.by AS value_by,
             u.said AS url, u.at AS url_at, u.by AS url_by
      FROM lightfast.entities own
      CROSS JOIN LATERAL (
        SELECT count(DISTINCT m.observation_id) AS observations, max(m.confidence) AS confidence,
               min(o.occurred_at) AS first, max(o.occurred_at) AS last
        FROM lightfast.observation_entities m JOIN lightfast.observations o ON o.id = m.observation_id
        WHERE m.entity_id = own.id
      ) n
      CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT alias COLLATE "C" ORDER BY alias COLLATE "C") AS aliases
        FROM lightfast.observation_entities m, unnest(m.stated_aliases) alias
        WHERE m.entity_id = own.id AND m.stated_key = own.key AND NOT own.is_stub
      ) a
      LEFT JOIN LATERAL ({_said_last("value")}) v ON true
      LEFT JOIN LATERAL ({_said_last("url")}) u ON true
      WHERE own.id = ANY(%s)
    ) s
    WHERE e.id = s.id
"""
