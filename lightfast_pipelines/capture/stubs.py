"""What a reference by alias stands for: the one thing that answers to it, or a stub until one does.

Resolution is a function of the set of claims and references, so it comes out the same in any order;
when a claim arrives later, mentions and edges that waited move to the thing. A name may stand for
one thing until a moment and for another from then on: which of them is meant, the time of the
text says. A candidate has no stub: while nothing claims its name, its mentions wait in
candidate_mentions and its edges have no end.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from lightfast_pipelines.capture.writers.place_names import Tenure, is_contested, tenures
from lightfast_pipelines.domain.identifiers import names_of_branch
from lightfast_pipelines.domain.keys import (
    category_of,
    github_number_of,
    is_candidate,
    moved,
    named_number,
    number_by_id,
)
from lightfast_pipelines.store.database import Connection

WorkspaceKey = tuple[int, str]
Stub = tuple[int, str, str]
"""(workspace, key, the alias by ids that is stated beside the key, or nothing)."""
EdgeRow = tuple[int, int, str]

_BRANCH = "candidate:branch:"
_SHA_PREFIX = "github:ref:sha:"
_MOST_MOVES = 20
# Of a mention `m`: the alias by ids that is stated beside its key, as `stub_of` finds it.
_BESIDE = """coalesce((SELECT min(a COLLATE "C") FROM unnest(m.stated_aliases) AS a
  WHERE a ~ '^github:ref:[0-9]+(@[^#:]+)?#'), '')"""
# Aliases made of ids, which are believed before those made of names.
_BY_ID = re.compile(r"^[a-z]+:ref:\d+(?:@[^#:]+)?[#:]")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a stub stands for; nothing at all for a candidate that no single thing claims."""

    entity_id: int | None
    is_ambiguous: bool


Timeline = Sequence[tuple[datetime | None, Resolution]]
"""(since, standing), oldest first; the first holds for all that came before as well (since None)."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The stubs after resolution; entities and edges (subject, object, type) that rows left or joined."""

    standing: Mapping[Stub, Timeline]
    entities: frozenset[int]
    edges: frozenset[EdgeRow]

    def at(self, stub: Stub, when: datetime) -> Resolution:
        return [one for since, one in self.standing[stub] if since is None or since <= when][-1]


def stub_of(workspace: int, key: str, aliases: Iterable[str]) -> Stub:
    """A number in a repository's own text is stated with that repository's id, which is believed."""
    return workspace, key, min((one for one in aliases if number_by_id(one)), default="")


def choose(
    claimants: Mapping[str, Iterable[int]], key: str | None = None
) -> tuple[int | None, bool]:
    """(entity or None, ambiguous) from alias -> entities that claim it, for the stub `key`.

    An alias made of ids is believed before one made of names, which can be renamed and reused. Of what
    a branch may mean, the issue that proposed it comes first, then the identifiers in their order.
    """
    if key is not None and key.startswith(_BRANCH):
        names = names_of_branch(key[len(_BRANCH) :])
        claimants = next(({name: claimants[name]} for name in names if name in claimants), {})
    by_id = {one for alias, ones in claimants.items() if _BY_ID.match(alias) for one in ones}
    if len(by_id) == 1:
        return next(iter(by_id)), False
    every = by_id or {one for ones in claimants.values() for one in ones}
    if len(every) == 1:
        return next(iter(every)), False
    return None, len(every) > 1


def _names_in(key: str) -> Iterable[str]:
    return names_of_branch(key[len(_BRANCH) :]) if key.startswith(_BRANCH) else ()


def add_lookups(conn: Connection, lookups: Mapping[WorkspaceKey, Iterable[str]]) -> None:
    """Records under which aliases each stub can be found: its own key and those stated with it; a
    branch's, those that its name holds."""
    _write_lookups(
        conn,
        {stub: {stub[1], *aliases, *_names_in(stub[1])} for stub, aliases in lookups.items()},
    )


def _write_lookups(conn: Connection, lookups: Mapping[WorkspaceKey, Iterable[str]]) -> None:
    rows = sorted({(w, a, key) for (w, key), aliases in lookups.items() for a in aliases})
    if rows:
        conn.execute(
            """
            INSERT INTO lightfast.entity_lookups (workspace_id, alias, stub_key)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )


def add_claims(
    conn: Connection, claims: Mapping[tuple[int, int], Iterable[str]]
) -> set[WorkspaceKey]:
    """Records the aliases that entities claim ((workspace, entity) -> aliases).

    Returns the stubs that may stand for something else now.
    """
    rows = sorted({(w, a, entity) for (w, entity), aliases in claims.items() for a in aliases})
    if not rows:
        return set()
    found = conn.execute(
        """
        WITH claimed AS (
          INSERT INTO lightfast.entity_aliases (workspace_id, alias, entity_id)
          SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) ON CONFLICT DO NOTHING
          RETURNING workspace_id, alias
        )
        SELECT DISTINCT l.workspace_id, l.stub_key
        FROM claimed c JOIN lightfast.entity_lookups l
          ON l.workspace_id = c.workspace_id AND l.alias = replace(c.alias, ':ref:moved:', ':ref:')
        """,
        [list(column) for column in zip(*rows, strict=True)],
    )
    return {(workspace, key) for workspace, key in found}


def stubs_of_commits(conn: Connection, commits: Sequence[WorkspaceKey]) -> set[WorkspaceKey]:
    """Short-sha stubs that one of these commits (workspace, sha) may answer to."""
    if not commits:
        return set()
    rows = conn.execute(
        """
        SELECT DISTINCT s.workspace_id, s.key
        FROM unnest(%s::bigint[], %s::text[]) AS c (workspace_id, sha)
        JOIN lightfast.entity_stubs s
          ON s.workspace_id = c.workspace_id AND s.key LIKE 'github:ref:sha:%%'
         AND substr(s.key, 16, 7) = left(c.sha, 7) AND starts_with(c.sha, substr(s.key, 16))
        """,
        ([w for w, _ in commits], [sha for _, sha in commits]),
    )
    return {(workspace, key) for workspace, key in rows}


def resolve(
    conn: Connection, stubs: Iterable[Stub], again: Iterable[WorkspaceKey] = ()
) -> Resolved:
    """Decides anew what these stubs stand for, and moves mentions and edges where it changed.

    `again` are keys of known stubs for which claims came or went.
    """
    before = _known(conn, {*(stub[:2] for stub in stubs), *again})
    wanted = sorted({*stubs, *before})
    if not wanted:
        return Resolved({}, frozenset(), frozenset())
    found = _timelines(conn, wanted)
    missing = sorted(
        {(stub[0], key) for stub in wanted for _, _, _, key in found[stub] if key is not None}
    )
    own, made = _ensure_stub_entities(conn, missing)
    standing: dict[Stub, Timeline] = {}
    for stub in wanted:
        whole = [
            (since, Resolution(own[stub[0], key] if key is not None else entity, ambiguous))
            for since, entity, ambiguous, key in found[stub]
        ]
        changes = [one for last, one in pairwise(whole) if last[1] != one[1]]
        standing[stub] = [whole[0], *changes]
    changed = [stub for stub in wanted if standing[stub] != before.get(stub)]
    _write(conn, {stub: standing[stub] for stub in changed})
    entities, edges = _move(
        conn, [(stub, before[stub], standing[stub]) for stub in changed if stub in before]
    )
    return Resolved(standing, frozenset(entities | made), frozenset(edges))


def _known(conn: Connection, keys: Iterable[WorkspaceKey]) -> dict[Stub, Timeline]:
    """What the stubs of these keys stand for as it is written."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    rows = conn.execute(
        """
        SELECT s.workspace_id, s.key, s.beside, nullif(s.since, '-infinity'), s.entity_id,
               s.is_ambiguous
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entity_stubs s USING (workspace_id, key)
        ORDER BY s.since
        """,
        ([w for w, _ in wanted], [key for _, key in wanted]),
    )
    known: dict[Stub, list[tuple[datetime | None, Resolution]]] = defaultdict(list)
    for workspace, key, beside, since, entity, ambiguous in rows:
        known[workspace, key, beside].append((since, Resolution(entity, ambiguous)))
    return dict(known)


_Found = tuple[datetime | None, int | None, bool, str | None]


def _timelines(conn: Connection, stubs: Sequence[Stub]) -> dict[Stub, list[_Found]]:
    """Each stub's (since, entity, ambiguous, key): the key of the stub's own entity where none answers."""
    named = {key: number for _, key, _ in stubs if (number := named_number(key))}
    held = tenures(conn, {(w, named[key][0]) for w, key, _ in stubs if key in named})
    parts = {stub: _parts(stub, named.get(stub[1]), held) for stub in stubs}
    lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
    for (workspace, key, beside), ones in parts.items():
        if not beside and key in named:
            lookups[workspace, key].update(alias for _, alias in ones if alias)
    _write_lookups(conn, lookups)
    keys = sorted({stub[:2] for stub in stubs})
    claims = _claimants(conn, ([w for w, _ in keys], [key for _, key in keys]))
    became = _follow_moves(conn, parts)
    found: dict[Stub, list[_Found]] = {}
    for stub, ones in parts.items():
        workspace, key, _ = stub
        known = claims.get((workspace, key), {})
        number = named.get(key)
        contested = number is not None and is_contested(held.get((workspace, number[0]), ()))
        found[stub] = []
        for since, alias in ones:
            if alias:
                there = became.get((workspace, alias)) or known.get(alias) or []
                entity, ambiguous = choose({alias: there})
            else:
                others = {name: ids for name, ids in known.items() if not number_by_id(name)}
                entity, ambiguous = choose(others, key)
            own: str | None = alias if contested and alias else key
            if entity is not None or is_candidate(key):
                own = None
            found[stub].append((since, entity, ambiguous, own))
    return found


def _parts(
    stub: Stub, number: tuple[str, str] | None, held: Mapping[WorkspaceKey, Tenure]
) -> list[tuple[datetime | None, str]]:
    """(since, alias by ids) of a stub; the alias is empty where only names are known of it."""
    workspace, key, beside = stub
    if beside or number_by_id(key):
        return [(None, beside or key)]
    tenure = held.get((workspace, number[0]), ()) if number else ()
    if number is None or not tenure:
        return [(None, "")]
    return [(since, f"{place}{number[1]}") for since, place in tenure]


def _follow_moves(
    conn: Connection, parts: Mapping[Stub, Sequence[tuple[datetime | None, str]]]
) -> dict[tuple[int, str], list[int]]:
    """(workspace, alias by ids) -> what the thing is now, where it was moved to another place."""
    keys: dict[tuple[int, str], set[str]] = defaultdict(set)
    for (workspace, key, _), ones in parts.items():
        for _, alias in ones:
            if alias:
                keys[workspace, alias].add(key)
    became: dict[tuple[int, str], list[int]] = {}
    ends = {(workspace, alias): alias for workspace, alias in keys}
    for _ in range(_MOST_MOVES):
        rows = conn.execute(
            """
            SELECT k.workspace_id, k.start, array_agg(e.id), min(e.key)
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, start, alias)
            JOIN lightfast.entity_aliases a USING (workspace_id, alias)
            JOIN lightfast.entities e ON e.id = a.entity_id
            GROUP BY 1, 2
            """,
            (
                [workspace for workspace, _ in ends],
                [start for _, start in ends],
                [moved(alias) for alias in ends.values()],
            ),
        ).fetchall()
        if not rows:
            break
        ends = {}
        lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
        for workspace, start, entities, key in rows:
            became[workspace, start] = entities
            following = github_number_of(key)
            if len(entities) == 1 and following is not None:
                ends[workspace, start] = following
                for stub in keys[workspace, start]:
                    lookups[workspace, stub].add(following)
        _write_lookups(conn, lookups)
    return became


def _write(conn: Connection, changed: Mapping[Stub, Timeline]) -> None:
    if not changed:
        return
    conn.execute(
        """
        DELETE FROM lightfast.entity_stubs s
        USING unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, key, beside)
        WHERE s.workspace_id = k.workspace_id AND s.key = k.key AND s.beside = k.beside
        """,
        [list(column) for column in zip(*changed, strict=True)],
    )
    rows = [
        (*stub, since, one.entity_id, one.is_ambiguous)
        for stub, timeline in changed.items()
        for since, one in timeline
    ]
    conn.execute(
        """
        INSERT INTO lightfast.entity_stubs
          (workspace_id, key, beside, since, entity_id, is_ambiguous)
        SELECT k.workspace_id, k.key, k.beside, coalesce(k.since, '-infinity'), k.entity_id,
               k.is_ambiguous
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[],
                    %s::boolean[])
          AS k (workspace_id, key, beside, since, entity_id, is_ambiguous)
        """,
        [list(column) for column in zip(*rows, strict=True)],
    )


def _claimants(
    conn: Connection, columns: tuple[list[int], list[str]]
) -> dict[WorkspaceKey, dict[str, list[int]]]:
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.key, l.alias, array_agg(a.entity_id)
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entity_lookups l ON l.workspace_id = k.workspace_id AND l.stub_key = k.key
        JOIN lightfast.entity_aliases a ON a.workspace_id = l.workspace_id AND a.alias = l.alias
        GROUP BY 1, 2, 3
        """,
        columns,
    ).fetchall()
    claims: dict[WorkspaceKey, dict[str, list[int]]] = {}
    for workspace, key, alias, entities in rows:
        claims.setdefault((workspace, key), {})[alias] = entities
    shas = [(w, key) for w, key in zip(*columns, strict=True) if key.startswith(_SHA_PREFIX)]
    if shas:
        rows = conn.execute(
            """
            SELECT k.workspace_id, k.key, array_agg(e.id)
            FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
            JOIN lightfast.entities e ON e.workspace_id = k.workspace_id
             AND e.key >= 'github:commit:' || substr(k.key, 16)
             AND e.key < 'github:commit:' || substr(k.key, 16) || 'g'
            GROUP BY 1, 2
            """,
            ([w for w, _ in shas], [key for _, key in shas]),
        ).fetchall()
        for workspace, key, entities in rows:
            claims.setdefault((workspace, key), {})[key] = entities
    return claims


def _ensure_stub_entities(
    conn: Connection, stubs: Sequence[WorkspaceKey]
) -> tuple[dict[WorkspaceKey, int], set[int]]:
    """(stub -> its own entity, the entities made now); numbers of a new one are filled in later."""
    if not stubs:
        return {}, set()
    columns = (
        [w for w, _ in stubs],
        [key for _, key in stubs],
        [category_of(key) for _, key in stubs],
    )
    made = conn.execute(
        """
        INSERT INTO lightfast.entities
          (workspace_id, key, category, confidence, first_seen_at, last_seen_at, occurrence_count, is_stub)
        SELECT k.*, 0, now(), now(), 0, true
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k
        ON CONFLICT (workspace_id, key) DO NOTHING RETURNING id
        """,
        columns,
    ).fetchall()
    rows = conn.execute(
        """
        SELECT e.workspace_id, e.key, e.id
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entities e USING (workspace_id, key)
        """,
        columns[:2],
    )
    own = {(workspace, key): identifier for workspace, key, identifier in rows}
    return own, {row[0] for row in made}


def _move(
    conn: Connection, moves: Sequence[tuple[Stub, Timeline, Timeline]]
) -> tuple[set[int], set[EdgeRow]]:
    """Moves rows stated under a stub (its timeline before and now); returns what is concerned."""
    hidden, shown, rows = [], [], []
    for (workspace, key, beside), before, now in moves:
        olds = {one.entity_id for _, one in before}
        if is_candidate(key):
            old, new = before[0][1].entity_id, now[0][1].entity_id
            if old is not None and new is None:
                hidden.append(((workspace, key), old))
            elif old is None and new is not None:
                shown.append(((workspace, key), new))
        ends: list[datetime | None] = [*(since for since, _ in now[1:]), None]
        for (since, one), until in zip(now, ends, strict=True):
            if one.entity_id is not None:
                edge = None if one.is_ambiguous else one.entity_id
                rows += [(key, beside, old, since, until, one.entity_id, edge) for old in olds]
    lost = _hide(conn, hidden)
    _show(conn, shown)
    concerned = {entity for _, entity in hidden}
    if not rows:
        return concerned, lost
    keys, besides, olds_, sinces, untils, nows, ends_of_edges = map(list, zip(*rows, strict=True))
    known = [(key, old) for key, old in zip(keys, olds_, strict=True) if old is not None]
    edges = lost | _edges_at(conn, [key for key, _ in known], [old for _, old in known])
    conn.execute(
        f"""
        UPDATE lightfast.observation_entities m SET entity_id = k.now
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
                    %s::bigint[]) AS k (key, beside, old, since, until, now),
             lightfast.observations o
        WHERE m.entity_id = k.old AND m.stated_key = k.key AND {_BESIDE} = k.beside
          AND k.old <> k.now AND o.id = m.observation_id
          AND (k.since IS NULL OR coalesce(o.written_at, o.occurred_at) >= k.since)
          AND (k.until IS NULL OR coalesce(o.written_at, o.occurred_at) < k.until)
        """,
        (keys, besides, olds_, sinces, untils, nows),
    )
    for end in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end}_id = k.edge
            FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
                   AS k (key, beside, now, edge)
            JOIN lightfast.observation_entities m
              ON m.entity_id = k.now AND m.stated_key = k.key AND {_BESIDE} = k.beside
            WHERE r.observation_id = m.observation_id AND r.{end}_key = k.key
              AND r.{end}_id IS DISTINCT FROM k.edge
            """,
            (keys, besides, nows, ends_of_edges),
        )
    edges |= _edges_at(conn, keys, nows)
    apart = [(old, now) for old, now in zip(olds_, nows, strict=True) if old != now]
    return concerned | {one for pair in apart for one in pair if one is not None}, edges


_MENTION = (
    "observation_id, role, stated_key, evidence, confidence, extractor, stated_value, stated_url,"
    " stated_aliases"
)


def _show(conn: Connection, claimed: Sequence[tuple[WorkspaceKey, int]]) -> None:
    """Mentions of candidates that a thing claims now become mentions of the thing."""
    if claimed:
        conn.execute(
            f"""
            WITH shown AS (
              DELETE FROM lightfast.candidate_mentions c
              USING unnest(%s::bigint[], %s::text[], %s::bigint[]) AS k (workspace_id, key, now)
              WHERE c.workspace_id = k.workspace_id AND c.stated_key = k.key
              RETURNING c.*, k.now
            )
            INSERT INTO lightfast.observation_entities (entity_id, {_MENTION})
            SELECT now, {_MENTION} FROM shown
            """,
            (
                [workspace for (workspace, _), _ in claimed],
                [key for (_, key), _ in claimed],
                [now for _, now in claimed],
            ),
        )


def _hide(conn: Connection, unclaimed: Sequence[tuple[WorkspaceKey, int]]) -> set[EdgeRow]:
    """Mentions of candidates (candidate, entity before) that no single thing claims any more wait
    again; returns the edges that they were an end of."""
    if not unclaimed:
        return set()
    keys, entities = [key for (_, key), _ in unclaimed], [entity for _, entity in unclaimed]
    edges = _edges_at(conn, keys, entities)
    for end in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end}_id = NULL
            FROM unnest(%s::text[], %s::bigint[]) AS k (key, entity_id)
            JOIN lightfast.observation_entities m
              ON m.entity_id = k.entity_id AND m.stated_key = k.key
            WHERE r.observation_id = m.observation_id AND r.{end}_key = k.key
            """,
            (keys, entities),
        )
    conn.execute(
        f"""
        WITH hidden AS (
          DELETE FROM lightfast.observation_entities m
          USING unnest(%s::bigint[], %s::text[], %s::bigint[]) AS k (workspace_id, key, entity_id)
          WHERE m.entity_id = k.entity_id AND m.stated_key = k.key
          RETURNING m.*, k.workspace_id
        )
        INSERT INTO lightfast.candidate_mentions (workspace_id, {_MENTION})
        SELECT workspace_id, {_MENTION} FROM hidden
        """,
        ([workspace for (workspace, _), _ in unclaimed], keys, entities),
    )
    return edges


def _edges_at(conn: Connection, keys: Sequence[str], entities: Sequence[int]) -> set[EdgeRow]:
    """Edges that are stated with one of these stubs, as they are resolved at the moment."""
    rows = conn.execute(
        """
        SELECT DISTINCT r.subject_id, r.object_id, r.type
        FROM unnest(%s::text[], %s::bigint[]) AS k (key, entity_id)
        JOIN lightfast.observation_entities m ON m.entity_id = k.entity_id AND m.stated_key = k.key
        JOIN lightfast.relationship_sources r ON r.observation_id = m.observation_id
         AND (r.subject_key = k.key OR r.object_key = k.key)
        WHERE r.subject_id IS NOT NULL AND r.object_id IS NOT NULL
        """,
        (list(keys), list(entities)),
    )
    return {(subject, object_, kind) for subject, object_, kind in rows}
