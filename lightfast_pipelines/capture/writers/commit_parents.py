"""Writes what observations of commits state about the commits before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.rows import differences, write_differences
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.store.database import Connection

_ParentKey = tuple[int, str, int]
"""Observation, kind, position."""
_KEY = {"observation_id": "bigint", "kind": "text", "position": "integer"}


class _Parent(NamedTuple):
    workspace_id: int
    commit: str
    parent: str | None


def write_commit_parents(
    conn: Connection, facts: Mapping[int, Fact], earlier_ids: Sequence[int]
) -> None:
    """Writes the parents that the facts (observation id -> fact) state, and deletes those that they do not
    state any more. With an observation that is deleted, its rows go too."""
    new = {
        (observation, kind, position): _Parent(
            fact.workspace.id, fact.statement.subject.key.rpartition(":")[2], parent
        )
        for observation, fact in facts.items()
        for kind, position, parent in _stated(fact.statement)
    }
    changed = differences(_load(conn, earlier_ids), new)
    write_differences(conn, "commit_parents", _KEY, _Parent._fields, changed)


def _stated(statement: Statement) -> list[tuple[str, int, str | None]]:
    parents: Sequence[str | None] = statement.parents or ()
    if statement.parents == ():
        # The first commit of a history, which is not the same as one whose parents are unknown.
        parents = (None,)
    return [
        *(("parent", position, parent) for position, parent in enumerate(parents)),
        *(("push", position, parent) for position, parent in enumerate(statement.pushed_after)),
    ]


def _load(conn: Connection, observations: Sequence[int]) -> dict[_ParentKey, _Parent]:
    if not observations:
        return {}
    rows = conn.execute(
        """
        SELECT observation_id, kind, position, workspace_id, "commit", parent
        FROM lightfast.commit_parents WHERE observation_id = ANY(%s)
        """,
        (list(observations),),
        binary=True,
    )
    return {(row[0], row[1], row[2]): _Parent(*row[3:]) for row in rows}
