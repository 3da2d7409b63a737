"""Writes entities; their names, times and counts follow from the mentions.

If a batch only adds mentions, their numbers are added to the entity; if it also removes some, the entity is
recounted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lightfast_pipelines.capture.writers.rows import columns_of, insert_rows, next_ids
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.domain.key_categories import category_of
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import array_of

StatedText = tuple[datetime, str, str]
"""Time, source_id, text."""


@dataclass(slots=True)
class Numbers:
    """What the mentions of a batch add to one entity."""

    observations: set[int] = field(default_factory=set)
    confidence: float = 0.0
    times: list[datetime] = field(default_factory=list)
    value: StatedText | None = None
    url: StatedText | None = None
    aliases: set[str] = field(default_factory=set)

    def add(self, observation: int, at: datetime, confidence: float) -> None:
        self.observations.add(observation)
        self.times.append(at)
        self.confidence = max(self.confidence, confidence)


@dataclass(frozen=True, slots=True)
class EnsuredEntities:
    """The ids of entities, and those that were created now."""

    ids: Mapping[WorkspaceKey, int]
    created: Set[WorkspaceKey]


def ensure_entities(
    conn: Connection, stated: Mapping[WorkspaceKey, Numbers], *, are_stubs: bool
) -> EnsuredEntities:
    """The ids of these entities. A new one is created with what is stated about it; what is stated about
    the others is added later."""
    if not stated:
        return EnsuredEntities({}, frozenset())
    keys = sorted(stated)
    ids = {
        (row[0], row[1]): row[2]
        for row in conn.execute(
            """
            SELECT e.workspace_id, e.key, e.id
            FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
            JOIN lightfast.entities e USING (workspace_id, key)
            """,
            columns_of(keys),
        )
    }
    new = [key for key in keys if key not in ids]
    if new:
        created = dict(zip(new, next_ids(conn, "entities", len(new)), strict=True))
        # One capture runs at a time, so nobody else creates the same ones.
        insert_rows(
            conn,
            "entities",
            _COLUMNS,
            [
                (
                    identifier,
                    key[0],
                    key[1],
                    category_of(key[1]),
                    are_stubs,
                    *_values(stated[key]),
                )
                for key, identifier in created.items()
            ],
        )
        ids |= created
    return EnsuredEntities(ids, frozenset(new))


_NUMBERS = {
    "confidence": "real",
    "first_seen_at": "timestamptz",
    "last_seen_at": "timestamptz",
    "occurrence_count": "integer",
    "value": "text",
    "value_stated_at": "timestamptz",
    "value_stated_by": "text",
    "url": "text",
    "url_stated_at": "timestamptz",
    "url_stated_by": "text",
    "aliases": "text",
}
_COLUMNS = ("id", "workspace_id", "key", "category", "is_stub", *_NUMBERS)
_NOTHING = (None, None, None)


# Stands for the times of an entity that nothing mentions (yet).
_UNSEEN = datetime(1970, 1, 1, tzinfo=UTC)


def _values(numbers: Numbers) -> tuple[object, ...]:
    """The numbers in the order of `_NUMBERS`."""
    value, url = numbers.value or _NOTHING, numbers.url or _NOTHING
    return (
        numbers.confidence,
        min(numbers.times, default=_UNSEEN),
        max(numbers.times, default=_UNSEEN),
        len(numbers.observations),
        *(value[2], value[0], value[1]),
        *(url[2], url[0], url[1]),
        array_of(sorted(numbers.aliases)),
    )


def _set_latest(name: str) -> str:
    """SET clauses that keep what was stated later of a field: the greatest (time, source_id, text)."""
    newer = (
        f"s.{name}_stated_at IS NOT NULL AND (e.{name}_stated_at IS NULL OR"
        f' (s.{name}_stated_at, s.{name}_stated_by COLLATE "C", s.{name} COLLATE "C") >'
        f' (e.{name}_stated_at, e.{name}_stated_by, e.{name} COLLATE "C"))'
    )
    columns = (name, f"{name}_stated_at", f"{name}_stated_by")
    return ", ".join(f"{c} = CASE WHEN {newer} THEN s.{c} ELSE e.{c} END" for c in columns)


_ADD_NUMBERS = f"""
    UPDATE lightfast.entities e SET
      confidence = greatest(e.confidence, s.confidence),
      first_seen_at = CASE WHEN e.occurrence_count = 0 THEN s.first_seen_at
                           ELSE least(e.first_seen_at, s.first_seen_at) END,
      last_seen_at = CASE WHEN e.occurrence_count = 0 THEN s.last_seen_at
                          ELSE greatest(e.last_seen_at, s.last_seen_at) END,
      occurrence_count = e.occurrence_count + s.occurrence_count,
      aliases = CASE WHEN e.aliases @> s.aliases::text[] THEN e.aliases ELSE
        ARRAY(SELECT DISTINCT a COLLATE "C" FROM unnest(e.aliases || s.aliases::text[]) a ORDER BY 1)
        END,
      {_set_latest("value")}, {_set_latest("url")}
    FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in _NUMBERS.values())})
      AS s (id, {", ".join(_NUMBERS)})
    WHERE e.id = s.id
"""


def add_numbers(conn: Connection, numbers: Mapping[int, Numbers]) -> None:
    """Adds to these entities (by id) what the new mentions say about them."""
    rows = [(entity, *_values(added)) for entity, added in sorted(numbers.items()) if added.times]
    if rows:
        conn.execute(_ADD_NUMBERS, columns_of(rows))


def recount(conn: Connection, entities: Iterable[int]) -> None:
    """Recomputes the numbers, names and aliases of these entities from all their mentions."""
    conn.execute(_RECOUNT, (sorted(entities),))


def drop_lost_claims(conn: Connection, entities: Iterable[int]) -> set[WorkspaceKey]:
    """Deletes the aliases that these entities no longer claim, once they have been recounted.

    Returns the stubs that may now stand for something else.
    """
    ids = sorted(entities)
    lost = conn.execute(
        """
        DELETE FROM lightfast.entity_aliases a USING lightfast.entities e
        WHERE e.id = a.entity_id AND e.id = ANY(%s)
          AND (e.occurrence_count = 0 OR NOT e.aliases @> ARRAY[a.alias])
        RETURNING a.workspace_id, a.alias
        """,
        (ids,),
    ).fetchall()
    rows = conn.execute(
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
        ([workspace for workspace, _ in lost], [alias for _, alias in lost], ids),
    )
    return {(workspace, key) for workspace, key in rows}


def remove_unmentioned_entities(conn: Connection, entities: Iterable[int]) -> None:
    """Deletes the entities among these that nothing mentions any more, and their stubs' lookups."""
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


def _stated_last(name: str) -> str:
    """Subquery: the value or address that mentions of the entity under its own key stated last."""
    return f"""
      SELECT m.stated_{name} AS stated, o.occurred_at AS at, o.source_id AS by
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
      SELECT own.id, n.*, a.aliases, v.stated AS value, v.at AS value_at, v.by AS value_by,
             u.stated AS url, u.at AS url_at, u.by AS url_by
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
      LEFT JOIN LATERAL ({_stated_last("value")}) v ON true
      LEFT JOIN LATERAL ({_stated_last("url")}) u ON true
      WHERE own.id = ANY(%s)
    ) s
    WHERE e.id = s.id
"""
