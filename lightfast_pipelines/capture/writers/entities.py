"""Writes entities and their mentions; names, times and counts follow from the mentions.

An entity's numbers are always those of its mentions: added where all a batch does is add, counted
anew where it also takes away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.stubs import (
    EdgeRow,
    Resolved,
    Stub,
    WorkspaceKey,
    add_claims,
    add_lookups,
    resolve,
    stub_of,
    stubs_of_commits,
)
from lightfast_pipelines.capture.writers.differences import Differences, differences
from lightfast_pipelines.domain.keys import category_of, is_stub
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

_COMMIT = "github:commit:"


class EntityMention(NamedTuple):
    """What an observation states of an entity, without the keys (observation, role, stated key)."""

    evidence: str | None
    confidence: float
    extractor: str
    stated_value: str | None
    stated_url: str | None
    stated_aliases: tuple[str, ...]


EntityMentionKey = tuple[int, str, str]


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


@dataclass(frozen=True, slots=True)
class WrittenMentions:
    """What stands where after the mentions are written, for the edges that follow."""

    entity_ids: Mapping[WorkspaceKey, int]
    resolved: Resolved
    stubs: Mapping[tuple[int, str], Stub]
    edges: frozenset[EdgeRow]
    mentions: int
    entities: int
    named: Sequence[WorkspaceKey]

    def edge_end(self, observation: int, workspace: int, key: str, at: datetime) -> int | None:
        """The entity at an end of an observation's edge; None where it is ambiguous or nothing.

        `at` is when the observation's text was written."""
        if is_stub(key):
            standing = self.resolved.at(self.stubs[observation, key], at)
            return None if standing.is_ambiguous else standing.entity_id
        return self.entity_ids[workspace, key]


def write_mentions(
    conn: Connection,
    facts: Mapping[int, Fact],
    known: Mapping[int, int],
    moved: Set[int],
    renamed: Set[WorkspaceKey] = frozenset(),
) -> WrittenMentions:
    """Writes the mentions of the facts (observation id -> fact).

    `known` are the observations that had rows before (id -> workspace), whether they go on or not;
    `renamed` are stubs whose names may mean another place than before.
    """
    workspaces = {observation: fact.workspace.id for observation, fact in facts.items()} | dict(
        known
    )
    new = {
        (observation, mention.role, mention.thing.key): EntityMention(
            mention.evidence,
            round(mention.confidence, 4),
            mention.extractor,
            mention.thing.name,
            mention.thing.url,
            tuple(sorted(set(mention.thing.aliases))),
        )
        for observation, fact in facts.items()
        for mention in fact.enriched.mentions
    }
    old, left = _load(conn, sorted(known))
    changed = differences(old, new, moved)
    stated = {(workspaces[key[0]], key[2]) for key in new if not is_stub(key[2])}
    stubs = {
        (observation, key): stub_of(workspaces[observation], key, row.stated_aliases)
        for (observation, _, key), row in sorted(new.items(), key=itemgetter(0), reverse=True)
        if is_stub(key)
    }
    entity_ids, made = _ensure(conn, list(stated))
    every = {
        stub_of(workspaces[key[0]], key[2], row.stated_aliases)
        for key, row in new.items()
        if is_stub(key[2])
    }
    resolved = _resolve(conn, changed, workspaces, every, entity_ids, made, renamed)

    def entity_of(mention: EntityMentionKey, row: EntityMention) -> int | None:
        observation, _, key = mention
        if not is_stub(key):
            return entity_ids[workspaces[observation], key]
        stub = stub_of(workspaces[observation], key, row.stated_aliases)
        return resolved.at(stub, facts[observation].statement.read_at).entity_id

    found = {key: entity_of(key, row) for key, row in changed.added.items()}
    placed = {key: entity for key, entity in found.items() if entity is not None}
    _add_numbers(conn, _numbers(facts, changed, placed))
    _write_rows(conn, changed, placed)
    unclaimed = [key for key, entity in found.items() if entity is None]
    _write_candidates(conn, changed, unclaimed, workspaces)
    earlier = set(known)
    again = set(resolved.entities) | {left[key] for key in changed.removed if key in left}
    again |= {entity for key, entity in placed.items() if key[0] in earlier}
    after = count_again(conn, again)
    named = {
        (workspaces[key[0]], key[2])
        for key, row in [*changed.added.items(), *changed.removed.items()]
        if row.stated_value is not None
    }
    named |= {
        (fact.workspace.id, change.thing.key)
        for fact in facts.values()
        for change in fact.statement.states
    }
    return WrittenMentions(
        entity_ids,
        Resolved({**resolved.standing, **after.standing}, resolved.entities, resolved.edges),
        stubs,
        resolved.edges | after.edges,
        len(placed),
        len(set(placed.values())),
        sorted(named),
    )


def _resolve(
    conn: Connection,
    changed: Differences[EntityMentionKey, EntityMention],
    workspaces: Mapping[int, int],
    stubs: Set[Stub],
    entity_ids: Mapping[WorkspaceKey, int],
    made: Iterable[WorkspaceKey],
    renamed: Set[WorkspaceKey],
) -> Resolved:
    """Records claims and references of the new rows; decides the stubs that they concern."""
    lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
    claims: dict[tuple[int, int], set[str]] = defaultdict(set)
    for (observation, _, key), row in changed.added.items():
        place = (workspaces[observation], key)
        if is_stub(key):
            lookups[place].update(row.stated_aliases)
        elif row.stated_aliases:
            claims[place[0], entity_ids[place]].update(row.stated_aliases)
    add_lookups(conn, lookups)
    commits = [(w, key[len(_COMMIT) :]) for w, key in made if key.startswith(_COMMIT)]
    waiting = add_claims(conn, claims) | stubs_of_commits(conn, commits)
    return resolve(conn, stubs, waiting | renamed)


def _load(
    conn: Connection, observations: Sequence[int]
) -> tuple[dict[EntityMentionKey, EntityMention], dict[EntityMentionKey, int]]:
    """(rows, entity of each row) of these observations; a candidate that nothing claims has none."""
    if not observations:
        return {}, {}
    rows = conn.execute(
        """
        SELECT observation_id, role, stated_key, evidence, confidence, extractor, stated_value,
               stated_url, stated_aliases, entity_id
        FROM lightfast.observation_entities WHERE observation_id = ANY(%(ids)s)
        UNION ALL
        SELECT observation_id, role, stated_key, evidence, confidence, extractor, stated_value,
               stated_url, stated_aliases, NULL
        FROM lightfast.candidate_mentions WHERE observation_id = ANY(%(ids)s)
        """,
        {"ids": list(observations)},
    )
    mentions: dict[EntityMentionKey, EntityMention] = {}
    entities: dict[EntityMentionKey, int] = {}
    for (
        observation,
        role,
        key,
        evidence,
        confidence,
        extractor,
        value,
        url,
        aliases,
        entity,
    ) in rows:
        place = (observation, role, key)
        mentions[place] = EntityMention(
            evidence, round(confidence, 4), extractor, value, url, tuple(aliases)
        )
        if entity is not None:
            entities[place] = entity
    return mentions, entities


def _ensure(
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


def _numbers(
    facts: Mapping[int, Fact],
    changed: Differences[EntityMentionKey, EntityMention],
    placed: Mapping[EntityMentionKey, int],
) -> dict[int, Numbers]:
    """What the added rows say of each entity. A name counts only where the thing itself is named."""
    numbers: dict[int, Numbers] = {}
    for place, entity in placed.items():
        observation, _, key = place
        row, statement = changed.added[place], facts[observation].statement
        one = numbers.setdefault(entity, Numbers())
        at, by = statement.occurred_at, statement.source_id
        one.observations.add(observation)
        one.confidence = max(one.confidence, row.confidence)
        one.times.append(at)
        if is_stub(key):
            continue
        one.aliases.update(row.stated_aliases)
        if row.stated_value is not None:
            one.value = max(one.value or (at, by, ""), (at, by, row.stated_value))
        if row.stated_url is not None:
            one.url = max(one.url or (at, by, ""), (at, by, row.stated_url))
    return numbers


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


def _add_numbers(conn: Connection, numbers: Mapping[int, Numbers]) -> None:
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


def _write_rows(
    conn: Connection,
    changed: Differences[EntityMentionKey, EntityMention],
    placed: Mapping[EntityMentionKey, int],
) -> None:
    if changed.removed:
        for table in ("observation_entities", "candidate_mentions"):
            conn.execute(
                f"""
                DELETE FROM lightfast.{table} m
                USING unnest(%s::bigint[], %s::text[], %s::text[])
                  AS k (observation_id, role, stated_key)
                WHERE m.observation_id = k.observation_id AND m.role = k.role
                  AND m.stated_key = k.stated_key
                """,
                [list(column) for column in zip(*changed.removed, strict=True)],
            )
    if placed:
        columns = ("observation_id", "role", "stated_key", "entity_id", *EntityMention._fields)
        names = ", ".join(columns)
        rows = (
            (*key, entity, *changed.added[key][:-1], list(changed.added[key].stated_aliases))
            for key, entity in placed.items()
        )
        staged = stage(conn, "observation_entities", columns, rows)
        conn.execute(
            f"INSERT INTO lightfast.observation_entities ({names}) SELECT {names} FROM {staged}"
        )


def _write_candidates(
    conn: Connection,
    changed: Differences[EntityMentionKey, EntityMention],
    unclaimed: Sequence[EntityMentionKey],
    workspaces: Mapping[int, int],
) -> None:
    """Mentions under a name that nothing claims (yet)."""
    if not unclaimed:
        return
    columns = ("observation_id", "role", "stated_key", "workspace_id", *EntityMention._fields)
    names = ", ".join(columns)
    rows = (
        (
            *key,
            workspaces[key[0]],
            *changed.added[key][:-1],
            list(changed.added[key].stated_aliases),
        )
        for key in unclaimed
    )
    staged = stage(conn, "candidate_mentions", columns, rows)
    conn.execute(f"INSERT INTO lightfast.candidate_mentions ({names}) SELECT {names} FROM {staged}")


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
