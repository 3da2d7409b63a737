"""What a stub stands for over time: the entity that its names meant until a moment and from then on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.capture.writers.place_names import Tenure, is_contested, tenures
from lightfast_pipelines.capture.writers.rows import columns_of
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey, claimants, write_lookups
from lightfast_pipelines.domain.identifiers import names_of_branch
from lightfast_pipelines.domain.key_categories import is_candidate
from lightfast_pipelines.domain.keys import github_number_of, moved, named_number, number_by_id
from lightfast_pipelines.store.database import Connection

Stub = tuple[int, str, str]
"""(workspace, key, the alias by ids that is stated beside the key, or nothing)."""

_BRANCH = "candidate:branch:"
_MOST_MOVES = 20
# Aliases made of ids, which are believed before those made of names.
_BY_ID = re.compile(r"^[a-z]+:ref:\d+(?:@[^#:]+)?[#:]")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a stub stands for; nothing at all for a candidate that no single thing claims."""

    entity_id: int | None
    is_ambiguous: bool


Timeline = Sequence[tuple[datetime | None, Resolution]]
"""(since, standing), oldest first; the first holds for all that came before as well (since None)."""


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


def load_timelines(conn: Connection, keys: Iterable[WorkspaceKey]) -> dict[Stub, Timeline]:
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


def find_timelines(conn: Connection, stubs: Sequence[Stub]) -> dict[Stub, list[_Found]]:
    """Each stub's (since, entity, ambiguous, key): the key of the stub's own entity where none answers."""
    named = {key: number for _, key, _ in stubs if (number := named_number(key))}
    held = tenures(conn, {(w, named[key][0]) for w, key, _ in stubs if key in named})
    parts = {stub: _parts(stub, named.get(stub[1]), held) for stub in stubs}
    lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
    for (workspace, key, beside), ones in parts.items():
        if not beside and key in named:
            lookups[workspace, key].update(alias for _, alias in ones if alias)
    write_lookups(conn, lookups)
    keys = sorted({stub[:2] for stub in stubs})
    claims = claimants(conn, ([w for w, _ in keys], [key for _, key in keys]))
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
        write_lookups(conn, lookups)
    return became


def write_timelines(conn: Connection, changed: Mapping[Stub, Timeline]) -> None:
    if not changed:
        return
    conn.execute(
        """
        DELETE FROM lightfast.entity_stubs s
        USING unnest(%s::bigint[], %s::text[], %s::text[]) AS k (workspace_id, key, beside)
        WHERE s.workspace_id = k.workspace_id AND s.key = k.key AND s.beside = k.beside
        """,
        columns_of(changed),
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
        columns_of(rows),
    )
