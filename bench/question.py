"""A question, and the place in a grown history that it is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bench.questions_documented import named_in
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace, find_workspace


@dataclass(frozen=True, slots=True)
class Place:
    """What is asked about: a workspace with the busiest person and branch, and a recent piece of work.

    `latest` is the time of its latest event.
    """

    workspace: Workspace
    latest: datetime
    pull_request: str
    branch: str
    file: str
    observation: str
    person: str
    cluster: str
    named: Mapping[str, str]
    """What the questions of docs/questions.md are about here, by the names of their parameters."""


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    asked_by: Literal["command", "stage", "analyst"]
    ask: Callable[[Connection, Place], Any]


def place_in(conn: Connection, slug: str) -> Place:
    """The busiest of a workspace: what costs most to ask about."""
    workspace = find_workspace(conn, slug)

    def one(query: str) -> Any:
        row = conn.execute(query, {"workspace": workspace.id}).fetchone()
        assert row is not None, query
        return row[0]

    most_mentioned = """
      SELECT key FROM lightfast.entities WHERE workspace_id = %(workspace)s AND category = '{}'
      ORDER BY occurrence_count DESC, key LIMIT 1
    """
    return Place(
        workspace,
        one(
            "SELECT max(occurred_at) FROM lightfast.observations WHERE workspace_id = %(workspace)s"
        ),
        one(most_mentioned.format("pull_request")),
        one(most_mentioned.format("branch")),
        one(most_mentioned.format("file")),
        one(
            "SELECT external_id FROM lightfast.observations WHERE workspace_id = %(workspace)s"
            " ORDER BY occurred_at DESC LIMIT 1"
        ),
        one(
            "SELECT actor_id FROM lightfast.actor_profiles WHERE workspace_id = %(workspace)s"
            " ORDER BY observation_count DESC, actor_id LIMIT 1"
        ),
        one(
            "SELECT id FROM lightfast.clusters WHERE workspace_id = %(workspace)s"
            " ORDER BY summary IS NULL, last_observation_at DESC, id LIMIT 1"
        ),
        named_in(conn, slug),
    )
