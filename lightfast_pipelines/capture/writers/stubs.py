"""What a reference by alias stands for: the one thing that answers to it, or a stub until one does.

Resolution is a function of the set of claims and references, so it comes out the same in any order;
when a claim arrives later, mentions and edges that waited move to the thing. A name may stand for
one thing until a moment and for another from then on: which of them is meant, the time of the
text says. A candidate has no stub: while nothing claims its name, its mentions wait in
candidate_mentions and its edges have no end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from lightfast_pipelines.capture.writers.stub_moves import EdgeRow, move
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writers.stub_timelines import (
    Resolution,
    Stub,
    Timeline,
    find_timelines,
    load_timelines,
    write_timelines,
)
from lightfast_pipelines.domain.key_categories import category_of
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Resolved:
    """The stubs after resolution; entities and edges (subject, object, type) that rows left or joined."""

    standing: Mapping[Stub, Timeline]
    entities: frozenset[int]
    edges: frozenset[EdgeRow]

    def at(self, stub: Stub, when: datetime) -> Resolution:
        return [one for since, one in self.standing[stub] if since is None or since <= when][-1]


def resolve(
    conn: Connection, stubs: Iterable[Stub], again: Iterable[WorkspaceKey] = ()
) -> Resolved:
    """Decides anew what these stubs stand for, and moves mentions and edges where it changed.

    `again` are keys of known stubs for which claims came or went.
    """
    before = load_timelines(conn, {*(stub[:2] for stub in stubs), *again})
    wanted = sorted({*stubs, *before})
    if not wanted:
        return Resolved({}, frozenset(), frozenset())
    found = find_timelines(conn, wanted)
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
    write_timelines(conn, {stub: standing[stub] for stub in changed})
    entities, edges = move(
        conn, [(stub, before[stub], standing[stub]) for stub in changed if stub in before]
    )
    return Resolved(standing, frozenset(entities | made), frozenset(edges))


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
