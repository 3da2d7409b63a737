"""Resolves stubs: decides which entity a reference by alias stands for, if there is one yet.

The result is a function of the set of claims and references, so it is the same in any order; when a claim
arrives later, the mentions and edges that waited move to the entity. A name may stand for one entity at
first and for another later: the time of the text decides which is meant. A candidate has no stub: while no
entity claims its name, its mentions wait in candidate_mentions and its edges have no end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from lightfast_pipelines.capture.writers.entities import (
    Numbers,
    drop_lost_claims,
    ensure_entities,
    recount,
    remove_unmentioned_entities,
)
from lightfast_pipelines.capture.writers.stub_moves import EdgeRow, move_rows
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writers.stub_timelines import (
    Resolution,
    Stub,
    Timeline,
    find_claimants,
    load_timelines,
    write_timelines,
)
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Resolved:
    """The timelines of stubs after resolution, and the entities and edges (subject, object, type) that
    rows left or joined. `created` are the entities of stubs that are new; nothing counts for them yet."""

    timelines: Mapping[Stub, Timeline]
    entities: frozenset[int] = frozenset()
    edges: frozenset[EdgeRow] = frozenset()
    created: frozenset[int] = frozenset()

    def at(self, stub: Stub, when: datetime) -> Resolution:
        timeline = self.timelines[stub]
        if len(timeline) == 1:
            return timeline[0][1]
        return [r for since, r in timeline if since is None or since <= when][-1]


def resolve(
    conn: Connection, stubs: Iterable[Stub], reclaimed: Iterable[WorkspaceKey] = ()
) -> Resolved:
    """Decides again what these stubs stand for, and moves mentions and edges if that changed.

    `reclaimed` are keys of stored stubs whose claims changed.
    """
    before = load_timelines(conn, {*(stub[:2] for stub in stubs), *reclaimed})
    wanted = sorted({*stubs, *before})
    if not wanted:
        return Resolved({})
    claimed = find_claimants(conn, wanted)
    unclaimed = {
        (stub[0], part.own_key)
        for stub in wanted
        for part in claimed[stub]
        if part.own_key is not None
    }
    ensured = ensure_entities(conn, {key: Numbers() for key in unclaimed}, are_stubs=True)
    own = ensured.ids
    timelines: dict[Stub, Timeline] = {}
    for stub in wanted:
        timeline = [
            (
                part.since,
                Resolution(
                    part.entity_id if part.own_key is None else own[stub[0], part.own_key],
                    part.is_ambiguous,
                ),
            )
            for part in claimed[stub]
        ]
        changes = [part for last, part in pairwise(timeline) if last[1] != part[1]]
        timelines[stub] = [timeline[0], *changes]
    changed = [stub for stub in wanted if timelines[stub] != before.get(stub)]
    write_timelines(conn, {stub: timelines[stub] for stub in changed})
    entities, edges = move_rows(
        conn, [(stub, before[stub], timelines[stub]) for stub in changed if stub in before]
    )
    return Resolved(
        timelines,
        frozenset(entities),
        frozenset(edges),
        frozenset(own[key] for key in ensured.created),
    )


def count_again(conn: Connection, entities: Collection[int]) -> Resolved:
    """Recomputes the numbers, names and claims of these entities; removes those without mentions.

    Returns the stubs that stand for something else because a claim disappeared.
    """
    if not entities:
        return Resolved({})
    recount(conn, entities)
    resolved = resolve(conn, (), drop_lost_claims(conn, entities))
    others = resolved.entities | resolved.created
    if others:
        recount(conn, others)
    remove_unmentioned_entities(conn, {*entities, *others})
    return resolved
