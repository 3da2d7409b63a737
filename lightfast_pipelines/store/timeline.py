"""What happened in a workspace, newest first, a page at a time. Rows come from the view `changes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from lightfast_pipelines.store.database import Connection, dict_rows

RECENT = timedelta(days=7)
"""How far a timeline goes back from the latest event, if nobody says."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place behind an event: its time and its observation, which are the same in any database."""

    occurred_at: datetime
    observation: str

    def __str__(self) -> str:
        return f"{self.occurred_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}/{self.observation}"


def read_cursor(text: str) -> Cursor:
    """The cursor that `str` wrote. Raises ValueError."""
    at, slash, observation = text.strip().partition("/")
    moment = datetime.fromisoformat(at)
    if not slash or not observation or moment.tzinfo is None:
        raise ValueError(text)
    return Cursor(moment, observation)


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the view `changes`."""

    occurred_at: datetime
    actor: str | None
    author: str | None
    type: str
    title: str
    key: str
    name: str | None
    repository: str | None
    url: str | None
    category: str
    significance: int
    cluster: str | None
    observation: str

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.occurred_at, self.observation)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: those of these types, by these identities, that name this entity."""

    workspace: int
    types: Sequence[str] | None = None
    identities: Sequence[int] | None = None
    entity: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: Cursor | None = None


def types_like(conn: Connection, workspace: int, pattern: str) -> tuple[list[str], list[str]]:
    """(the types of the workspace's observations that match, all types): `pull-request.*`."""
    rows = conn.execute(
        """
        WITH RECURSIVE types AS (
          (SELECT source, source_type FROM lightfast.observation_facts WHERE workspace_id = %(workspace)s
           ORDER BY source, source_type LIMIT 1)
          UNION ALL
          SELECT next.source, next.source_type
          FROM types
          CROSS JOIN LATERAL (
            SELECT f.source, f.source_type FROM lightfast.observation_facts f
            WHERE f.workspace_id = %(workspace)s
              AND (f.source, f.source_type) > (types.source, types.source_type)
            ORDER BY f.source, f.source_type LIMIT 1
          ) next
        )
        SELECT DISTINCT source_type FROM types ORDER BY 1
        """,
        {"workspace": workspace},
    )
    names = [name for (name,) in rows]
    return [name for name in names if fnmatchcase(name, pattern.lower())], names


def entity_id(conn: Connection, workspace: int, key: str) -> int | None:
    row = conn.execute(
        "SELECT id FROM lightfast.entities WHERE workspace_id = %s AND key = %s", (workspace, key)
    ).fetchone()
    return None if row is None else int(row[0])


def identities_of(conn: Connection, actors: Sequence[str]) -> list[int]:
    """The identities of these actors."""
    rows = conn.execute(
        "SELECT id FROM lightfast.actor_identities WHERE actor_id = ANY(%s) ORDER BY id",
        (list(actors),),
    )
    return [number for (number,) in rows]


def latest_at(conn: Connection, wanted: Wanted) -> datetime | None:
    """When the latest of these events happened."""
    events = read_timeline(conn, wanted, 1)
    return events[0].occurred_at if events else None


def read_timeline(conn: Connection, wanted: Wanted, most: int) -> list[Event]:
    """The latest of these events, newest first; events of one moment by observation."""
    conditions, parameters = _conditions(wanted)
    pages = [conditions]
    if wanted.identities is not None:
        # Each by its own index, which is in the order of time.
        pages = [
            [*conditions, f"f.{column} = person.id"]
            for column in ("actor_identity_id", "author_identity_id")
        ]
    rows = dict_rows(
        conn,
        f"""
        SELECT {_COLUMNS}
        FROM (
          SELECT DISTINCT occurred_at, external_id FROM ({_UNION.join(map(_page, pages))}) pages
          ORDER BY occurred_at DESC, external_id DESC LIMIT %(most)s
        ) page
        -- One look-up a row: joined as a whole, the view would be read from end to end.
        CROSS JOIN LATERAL (
          SELECT * FROM lightfast.changes WHERE observation = page.external_id OFFSET 0
        ) c
        ORDER BY c.occurred_at DESC, c.observation DESC
        """,
        {**parameters, "people": list(wanted.identities or [0]), "most": most},
    )
    return [Event(**row) for row in rows]


_COLUMNS = ", ".join(f"c.{each.name}" for each in fields(Event))
_UNION = " UNION ALL "


def _page(conditions: Sequence[str]) -> str:
    return f"""
      SELECT page.* FROM unnest(%(people)s::bigint[]) AS person (id)
      CROSS JOIN LATERAL (
        SELECT f.occurred_at, f.external_id FROM lightfast.observation_facts f
        WHERE {" AND ".join(conditions)}
        ORDER BY f.occurred_at DESC, f.external_id DESC LIMIT %(most)s
      ) page
    """


def _conditions(wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    conditions = ["f.workspace_id = %(workspace)s", "NOT f.is_deleted"]
    parameters: dict[str, Any] = {"workspace": wanted.workspace}
    if wanted.types is not None:
        conditions.append("f.source_type = ANY(%(types)s)")
        parameters["types"] = list(wanted.types)
    if wanted.entity is not None:
        conditions.append(
            """EXISTS (
              SELECT FROM lightfast.observation_entities m
              WHERE m.observation_id = f.id AND m.entity_id = %(entity)s
            )"""
        )
        parameters["entity"] = wanted.entity
    if wanted.since is not None:
        conditions.append("f.occurred_at >= %(since)s")
        parameters["since"] = wanted.since
    if wanted.until is not None:
        conditions.append("f.occurred_at < %(until)s")
        parameters["until"] = wanted.until
    if wanted.before is not None:
        # The first condition alone is what the index can use.
        conditions.append("f.occurred_at <= %(before)s")
        conditions.append("(f.occurred_at, f.external_id) < (%(before)s, %(behind)s)")
        parameters |= {"before": wanted.before.occurred_at, "behind": wanted.before.observation}
    return conditions, parameters
