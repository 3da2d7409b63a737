"""What the memory holds about a person in a workspace: their accounts, their profile, what they did last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.store.database import Connection, dict_rows


@dataclass(frozen=True, slots=True)
class Account:
    """An identity of the person."""

    key: str
    login: str | None
    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class ExpertArea:
    """What the person works on; `weight` is 1 for what they work on most."""

    key: str
    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """An actor; without a profile, `observation_count` is 0 and the lists are empty."""

    workspace: str
    actor_id: str
    name: str
    kind: str
    accounts: list[Account]
    expertise: list[ExpertArea]
    contributions: Mapping[str, float]
    """Kind of work -> its share."""
    collaborators: list[dict[str, Any]]
    active_hours: list[int]
    time_zone: str | None
    observation_count: int
    last_active_at: datetime | None


def workspaces_of(conn: Connection, actors: Sequence[str], workspaces: Sequence[int]) -> list[int]:
    """Those of the workspaces in which one of these actors did something."""
    rows = conn.execute(
        """
        SELECT DISTINCT workspace_id FROM lightfast.actor_profiles
        WHERE actor_id = ANY(%s) AND workspace_id = ANY(%s) ORDER BY 1
        """,
        (list(actors), list(workspaces)),
    )
    return [workspace for (workspace,) in rows]


def read_person(conn: Connection, workspace: int, actor_id: str) -> PersonDetails | None:
    rows = dict_rows(
        conn,
        """
        SELECT w.slug AS workspace, a.id AS actor_id, a.display_name AS name, a.kind,
               p.expertise_domains, p.contribution_types, p.frequent_collaborators, p.active_hours,
               p.time_zone_guess, p.observation_count, p.last_active_at
        FROM lightfast.actors a
        JOIN lightfast.workspaces w ON w.id = %(workspace)s AND w.org_id = a.org_id
        LEFT JOIN lightfast.actor_profiles p ON p.workspace_id = w.id AND p.actor_id = a.id
        WHERE a.id = %(actor)s
        """,
        {"workspace": workspace, "actor": actor_id},
    )
    if not rows:
        return None
    [row] = rows
    return PersonDetails(
        row["workspace"],
        row["actor_id"],
        row["name"],
        row["kind"],
        _accounts(conn, actor_id),
        _expertise(conn, workspace, row["expertise_domains"] or {}),
        dict(_largest_first(row["contribution_types"] or {})),
        row["frequent_collaborators"] or [],
        row["active_hours"] or [],
        row["time_zone_guess"],
        row["observation_count"] or 0,
        row["last_active_at"],
    )


def actor_of_user(conn: Connection, org_id: str, key: str) -> str | None:
    """The actor of the account that a user's key (`user:github:12`) names."""
    source, _, account = key.removeprefix("user:").partition(":")
    row = conn.execute(
        """
        SELECT actor_id FROM lightfast.actor_identities
        WHERE org_id = %s AND source = %s AND source_id = %s
        """,
        (org_id, source, account),
    ).fetchone()
    return None if row is None else row[0]


def _accounts(conn: Connection, actor_id: str) -> list[Account]:
    rows = conn.execute(
        """
        SELECT source || ':' || source_id, source_username, source_name, source_email
        FROM lightfast.actor_identities WHERE actor_id = %s ORDER BY 1
        """,
        (actor_id,),
    )
    return [Account(*row) for row in rows]


def _expertise(conn: Connection, workspace: int, weights: Mapping[str, float]) -> list[ExpertArea]:
    names: dict[str, str] = dict(
        conn.execute(
            """
            SELECT key, value FROM lightfast.entities
            WHERE workspace_id = %s AND key = ANY(%s) AND value IS NOT NULL
            """,
            (workspace, list(weights)),
        ).fetchall()
    )
    return [
        ExpertArea(key, names.get(key) or key.partition(":")[2], weight)
        for key, weight in _largest_first(weights)
    ]


def _largest_first(weights: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda item: (-item[1], item[0]))
