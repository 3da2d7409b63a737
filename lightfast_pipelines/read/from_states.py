"""Reads the states that things had at a moment, as it was known at another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, overload

from psycopg import sql

from lightfast_pipelines.read.analyst_connection import AnalystConnection, default_connection
from lightfast_pipelines.read.answering import answer, workspace_id_of
from lightfast_pipelines.read.moments import Moment, moment_of
from lightfast_pipelines.read.selection import Source, select

if TYPE_CHECKING:
    import pandas as pd

    from lightfast_pipelines.read.catalogue import Catalogue

# Named as in the view `state_intervals`, which has only what is believed now.
_SOURCE = sql.SQL(
    """(
      SELECT w.slug AS workspace, s.workspace_id, s.entity_id AS key, s.entity_type AS thing,
             s.entity_name AS name, s.state_type, s.state_value AS value, s.valid_from, s.valid_to,
             s.recorded_at, s.superseded_at, changer.display_name AS changed_by,
             changing.actor_id AS changed_by_id, s.change_reason AS reason, s.state_metadata AS metadata,
             f.external_id AS observation
      FROM lightfast.temporal_states s
      JOIN lightfast.workspaces w ON w.id = s.workspace_id
      LEFT JOIN lightfast.actor_identities changing ON changing.id = s.changed_by_identity_id
      LEFT JOIN lightfast.actors changer ON changer.id = changing.actor_id
      LEFT JOIN lightfast.observation_facts f ON f.id = s.related_observation_id
    ) states"""
)
# Each column of the answer, and the column that describes it.
_COLUMNS = {
    "workspace": "workspaces.slug",
    "workspace_id": "temporal_states.workspace_id",
    "key": "temporal_states.entity_id",
    "thing": "temporal_states.entity_type",
    "name": "temporal_states.entity_name",
    "state_type": "temporal_states.state_type",
    "value": "temporal_states.state_value",
    "valid_from": "temporal_states.valid_from",
    "valid_to": "temporal_states.valid_to",
    "recorded_at": "temporal_states.recorded_at",
    "superseded_at": "temporal_states.superseded_at",
    "changed_by": "actors.display_name",
    "changed_by_id": "actors.id",
    "reason": "temporal_states.change_reason",
    "metadata": "temporal_states.state_metadata",
    "observation": "observation_facts.external_id",
}
_NAMED = """key IN (
  SELECT unnest(%s::text[])
  UNION ALL
  SELECT e.key FROM lightfast.entity_aliases a
  JOIN lightfast.entities e ON e.id = a.entity_id
  WHERE a.workspace_id = states.workspace_id AND a.alias = ANY(%s)
)"""


@overload
def states(
    workspace: str | None = None,
    *,
    at: Moment | None = None,
    known: Moment | None = None,
    keys: str | Iterable[str] | None = None,
    state_type: str | Iterable[str] | None = None,
    chunks: None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame: ...


@overload
def states(
    workspace: str | None = None,
    *,
    at: Moment | None = None,
    known: Moment | None = None,
    keys: str | Iterable[str] | None = None,
    state_type: str | Iterable[str] | None = None,
    chunks: int,
    on: AnalystConnection | None = None,
) -> Iterator[pd.DataFrame]: ...


def states(
    workspace: str | None = None,
    *,
    at: Moment | None = None,
    known: Moment | None = None,
    keys: str | Iterable[str] | None = None,
    state_type: str | Iterable[str] | None = None,
    chunks: int | None = None,
    on: AnalystConnection | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """The states that all things had `at` a moment (now), as far as was `known` then (by now).

    One row for each thing and kind of state; of the things with these `keys` or aliases, and of one kind
    of state or several, if they are given. One statement answers, however many things there are.
    """
    on = on or default_connection()
    now = datetime.now(UTC)
    moment = now if at is None else moment_of(at, "at", now=now)
    asked = select(_states(on.catalogue()), _COLUMNS, ("workspace", "key", "state_type"))
    if workspace is not None:
        asked.of_workspace(workspace_id_of(on, workspace))
    # Intervals that are believed at the same time do not overlap, so at most one of a kind holds.
    asked.add("valid_from <= %s AND (valid_to IS NULL OR valid_to > %s)", moment, moment)
    if known is None:
        asked.add("superseded_at IS NULL")
    else:
        when = moment_of(known, "known", now=now)
        asked.add("recorded_at <= %s AND (superseded_at IS NULL OR superseded_at > %s)", when, when)
    if keys is not None:
        asked.add(_NAMED, *([[keys] if isinstance(keys, str) else list(keys)] * 2))
    if state_type is not None:
        asked.equal({"state_type": state_type})
    return answer(on, asked.statement(), asked.parameters, chunks)


def _states(catalogue: Catalogue) -> Source:
    described = {}
    for name, place in _COLUMNS.items():
        table, _, column = place.partition(".")
        described[name] = catalogue.relation(table).columns[column]
    return Source("states", _SOURCE, described)
