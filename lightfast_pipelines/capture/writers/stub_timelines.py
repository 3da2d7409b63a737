"""What a stub stands for over time: its names may mean one entity at first and another later."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from lightfast_pipelines.capture.writers.place_names import Tenure, is_contested, tenures
from lightfast_pipelines.capture.writers.rows import columns_of, delete_rows
from lightfast_pipelines.capture.writers.stub_names import (
    WorkspaceKey,
    load_claimants,
    write_lookups,
)
from lightfast_pipelines.domain.identifiers import names_of_branch
from lightfast_pipelines.domain.key_categories import is_candidate
from lightfast_pipelines.domain.keys import github_number_of, moved, named_number, number_by_id
from lightfast_pipelines.store.database import Connection

Stub = tuple[int, str, str]
"""Workspace, key, and the alias made of ids that is stated with the key, or an empty string."""

_BRANCH = "candidate:branch:"
_MOST_MOVES = 20
_STUB_KEY = {"workspace_id": "bigint", "key": "text", "beside": "text"}
# Aliases made of ids, which are trusted before those made of names.
_BY_ID = re.compile(r"^[a-z]+:ref:\d+(?:@[^#:]+)?[#:]")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a stub stands for. A candidate that no single entity claims stands for nothing (None)."""

    entity_id: int | None
    is_ambiguous: bool


Timeline = Sequence[tuple[datetime | None, Resolution]]
"""(since, resolution), oldest first; the first holds from the beginning (since None)."""


def stub_of(workspace: int, key: str, aliases: Iterable[str]) -> Stub:
    """The stub of a reference. A number in a repository's own text is stated with the repository's id,
    which is trusted."""
    return workspace, key, min((alias for alias in aliases if number_by_id(alias)), default="")


def choose(
    claimants: Mapping[str, Iterable[int]], key: str | None = None
) -> tuple[int | None, bool]:
    """(entity or None, whether it is ambiguous) for the stub `key`, from alias -> claiming entities.

    An alias made of ids is trusted before one made of names, which can be renamed and reused. Of the
    names that a branch contains, the issue that proposed it comes first, then the identifiers in order.
    """
    if key is not None and key.startswith(_BRANCH):
        names = names_of_branch(key[len(_BRANCH) :])
        claimants = next(({name: claimants[name]} for name in names if name in claimants), {})
    entities = {
        entity for alias, ids in claimants.items() if _BY_ID.match(alias) for entity in ids
    } or {entity for ids in claimants.values() for entity in ids}
    if len(entities) == 1:
        return next(iter(entities)), False
    return None, len(entities) > 1


def load_timelines(conn: Connection, keys: Iterable[WorkspaceKey]) -> dict[Stub, Timeline]:
    """The stored timelines of the stubs with these keys."""
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
    timelines: dict[Stub, list[tuple[datetime | None, Resolution]]] = defaultdict(list)
    for workspace, key, beside, since, entity, is_ambiguous in rows:
        timelines[workspace, key, beside].append((since, Resolution(entity, is_ambiguous)))
    return dict(timelines)


class ClaimedPart(NamedTuple):
    """A stub's claimant from some time on or, if it has none, the key of the stub's own entity.

    A candidate has neither.
    """

    since: datetime | None
    entity_id: int | None
    is_ambiguous: bool
    own_key: str | None


def find_claimants(conn: Connection, stubs: Sequence[Stub]) -> dict[Stub, list[ClaimedPart]]:
    """Finds which entity claims each stub, and since when, oldest first."""
    named = {key: number for _, key, _ in stubs if (number := named_number(key))}
    held = tenures(conn, {(w, named[key][0]) for w, key, _ in stubs if key in named})
    aliases = {stub: _aliases_by_ids(stub, named.get(stub[1]), held) for stub in stubs}
    lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
    for (workspace, key, beside), stub_aliases in aliases.items():
        if not beside and key in named:
            lookups[workspace, key].update(alias for _, alias in stub_aliases if alias)
    write_lookups(conn, lookups)
    claims = load_claimants(conn, {stub[:2] for stub in stubs})
    moved_to = _follow_moves(conn, aliases)
    parts: dict[Stub, list[ClaimedPart]] = defaultdict(list)
    for stub, stub_aliases in aliases.items():
        workspace, key, _ = stub
        stub_claims = claims.get((workspace, key), {})
        number = named.get(key)
        is_place_contested = number is not None and is_contested(
            held.get((workspace, number[0]), ())
        )
        for since, alias in stub_aliases:
            if alias:
                claimants = moved_to.get((workspace, alias)) or stub_claims.get(alias) or []
                entity, is_ambiguous = choose({alias: claimants})
            else:
                by_name = {name: ids for name, ids in stub_claims.items() if not number_by_id(name)}
                entity, is_ambiguous = choose(by_name, key)
            own_key: str | None = alias if is_place_contested and alias else key
            if entity is not None or is_candidate(key):
                own_key = None
            parts[stub].append(ClaimedPart(since, entity, is_ambiguous, own_key))
    return parts


def _aliases_by_ids(
    stub: Stub, number: tuple[str, str] | None, held: Mapping[WorkspaceKey, Tenure]
) -> list[tuple[datetime | None, str]]:
    """(since, alias made of ids) of a stub; the alias is empty if the stub has only names."""
    workspace, key, beside = stub
    if beside or number_by_id(key):
        return [(None, beside or key)]
    tenure = held.get((workspace, number[0]), ()) if number else ()
    if number is None or not tenure:
        return [(None, "")]
    return [(since, f"{place}{number[1]}") for since, place in tenure]


def _follow_moves(
    conn: Connection, aliases: Mapping[Stub, Sequence[tuple[datetime | None, str]]]
) -> dict[tuple[int, str], list[int]]:
    """(workspace, alias made of ids) -> the entities it means now, for those that were moved."""
    keys: dict[tuple[int, str], set[str]] = defaultdict(set)
    for (workspace, key, _), stub_aliases in aliases.items():
        for _, alias in stub_aliases:
            if alias:
                keys[workspace, alias].add(key)
    moved_to: dict[tuple[int, str], list[int]] = {}
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
            moved_to[workspace, start] = entities
            following = github_number_of(key)
            if len(entities) == 1 and following is not None:
                ends[workspace, start] = following
                for stub_key in keys[workspace, start]:
                    lookups[workspace, stub_key].add(following)
        write_lookups(conn, lookups)
    return moved_to


def write_timelines(conn: Connection, changed: Mapping[Stub, Timeline]) -> None:
    """Replaces the stored timelines of these stubs."""
    if not changed:
        return
    delete_rows(conn, "entity_stubs", _STUB_KEY, changed)
    rows = [
        (*stub, since, resolution.entity_id, resolution.is_ambiguous)
        for stub, timeline in changed.items()
        for since, resolution in timeline
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
