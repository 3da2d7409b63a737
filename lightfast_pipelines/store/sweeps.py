"""Which entities of a resource are stored, and how far a sweep has looked for them.

`recovery/sweep_run.py` asks the provider and decides what is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.store.database import Connection

# An hour that begins after now began under a clock that was ahead, and is over.
_THIS_HOUR = "s.hour_from BETWEEN clock_timestamp() - interval '1 hour' AND clock_timestamp()"


@dataclass(slots=True)
class SweepState:
    """The progress of a sweep, in a row of `id_sweeps`.

    `seen` are keys listed so far; `missing` those that the latest whole sweep did not list and did not
    ask about; `alive` those that are not listed but exist (key -> when that was noticed).
    """

    cursor: dict[str, Any] | None = None
    started_at: datetime | None = None
    seen: set[str] = field(default_factory=set)
    gone: dict[str, str | None] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    alive: dict[str, str] = field(default_factory=dict)
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Sweep:
    """A row of `id_sweeps` for an operator."""

    workspace: str
    provider: str
    resource: str
    kind: str
    started_at: datetime | None
    finished_at: datetime | None
    requests: int
    found: int
    error: str | None


def load(conn: Connection, integration_id: int, kind: str) -> SweepState:
    row = conn.execute(
        """
        SELECT cursor, started_at, seen, is_active FROM lightfast.id_sweeps
        WHERE integration_id = %s AND entity_type = %s
        """,
        (integration_id, kind),
    ).fetchone()
    if row is None:
        return SweepState()
    seen = row[2] or {}
    return SweepState(
        cursor=row[0],
        started_at=row[1],
        seen=set(seen.get("seen", ())),
        gone=dict(seen.get("gone", {})),
        missing=set(seen.get("missing", ())),
        alive=dict(seen.get("alive", {})),
        is_active=row[3],
    )


def save(  # noqa: PLR0913 - each column by name
    conn: Connection,
    integration_id: int,
    kind: str,
    state: SweepState,
    *,
    requests: int,
    cost: Mapping[str, float],
    found: int = 0,
    finished_at: datetime | None = None,
    error: str | None = None,
) -> None:
    """Saves the progress; adds the cost to the current hour. Does not commit."""
    seen = {
        "seen": sorted(state.seen),
        "gone": state.gone,
        "missing": sorted(state.missing),
        "alive": state.alive,
    }
    conn.execute(
        """
        INSERT INTO lightfast.id_sweeps (integration_id, entity_type) VALUES (%(id)s, %(kind)s)
        ON CONFLICT (integration_id, entity_type) DO NOTHING
        """,
        {"id": integration_id, "kind": kind},
    )
    conn.execute(
        f"""
        UPDATE lightfast.id_sweeps s SET
          cursor = %(cursor)s, seen = %(seen)s, started_at = %(started)s,
          finished_at = coalesce(%(finished)s, s.finished_at),
          requests = s.requests + %(requests)s, found = s.found + %(found)s, error = %(error)s,
          hour_from = CASE WHEN {_THIS_HOUR} THEN s.hour_from
                           ELSE clock_timestamp() END,
          hour_spent = CASE WHEN {_THIS_HOUR}
            THEN (SELECT coalesce(jsonb_object_agg(pool, cost), '{{}}') FROM (
                    SELECT key AS pool, sum(value::float8) AS cost
                    FROM (SELECT * FROM jsonb_each_text(s.hour_spent)
                          UNION ALL SELECT * FROM jsonb_each_text(%(cost)s::jsonb)) both_of
                    GROUP BY key) added)
            ELSE %(cost)s::jsonb END
        WHERE integration_id = %(id)s AND entity_type = %(kind)s
        """,
        {
            "id": integration_id,
            "kind": kind,
            "cursor": None if state.cursor is None else json.dumps(state.cursor),
            "seen": json.dumps(seen),
            "started": state.started_at,
            "finished": finished_at,
            "requests": requests,
            "found": found,
            "error": error,
            "cost": json.dumps(dict(cost)),
        },
    )


def spent(conn: Connection, installation_id: int, pool: str) -> float:
    """What all sweeps of an installation cost within an hour, in one rate limit."""
    row = conn.execute(
        f"""
        SELECT coalesce(sum((s.hour_spent->>%s)::float8), 0)
        FROM lightfast.id_sweeps s
        JOIN lightfast.integrations i ON i.id = s.integration_id
        JOIN lightfast.resources r ON r.id = i.resource_id
        WHERE r.installation_id = %s AND {_THIS_HOUR}
        """,
        (pool, installation_id),
    ).fetchone()
    return float(row[0]) if row else 0.0


def stored_keys(
    conn: Connection,
    org_id: str,
    provider: str,
    resource_id: str,
    *,
    prefix: str,
    source_type: str,
    of_parts: bool,
    before: datetime,
) -> set[str]:
    """Keys of a resource's entities in the organisation's workspaces that are not deleted.

    Only those stored before `before`: a sweep that began then may not have listed later ones.
    """
    key = "o.part_key" if of_parts else "o.subject_key"
    whole_only = "" if of_parts else "AND o.part_key IS NULL"
    rows = conn.execute(
        f"""
        SELECT DISTINCT {key}
        FROM lightfast.observations o
        JOIN lightfast.workspaces w ON w.id = o.workspace_id AND w.org_id = %(org)s
        JOIN lightfast.observation_sources s ON s.observation_id = o.id
        JOIN lightfast.outcomes t ON t.raw_payload_id = s.raw_payload_id
          AND t.workspace_id = o.workspace_id
        WHERE starts_with({key}, %(prefix)s) {whole_only}
          AND starts_with(o.source_type, %(type)s) AND o.source = %(provider)s
          AND NOT o.is_deleted AND o.captured_at < %(before)s
          AND substr(t.resource_key, length(%(provider)s) + 2) LIKE '%%:' || %(resource)s
        """,
        {
            "org": org_id,
            "prefix": prefix,
            "type": source_type,
            "provider": provider,
            "before": before,
            "resource": resource_id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_"),
        },
    )
    return {row[0] for row in rows}


@dataclass(frozen=True, slots=True)
class LatestPayload:
    """The latest payload about an entity; `body` is None if retention has dropped it."""

    key: str
    name: str | None
    provider: str
    event_type: str
    headers: Mapping[str, str]
    body: bytes | None


def latest_payloads(
    conn: Connection, org_id: str, keys: Sequence[str], *, source_type: str, of_parts: bool
) -> dict[str, LatestPayload]:
    key = "o.part_key" if of_parts else "o.subject_key"
    whole_only = "" if of_parts else "AND o.part_key IS NULL"
    rows = conn.execute(
        f"""
        SELECT DISTINCT ON (k.key) k.key, e.value, p.provider, p.event_type, b.headers, b.body
        FROM unnest(%(keys)s::text[]) AS k (key)
        JOIN lightfast.workspaces w ON w.org_id = %(org)s
        JOIN lightfast.observations o ON o.workspace_id = w.id AND {key} = k.key {whole_only}
        JOIN lightfast.observation_sources s ON s.observation_id = o.id
        JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
        LEFT JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        LEFT JOIN lightfast.entities e ON e.workspace_id = w.id AND e.key = k.key
        WHERE starts_with(o.source_type, %(type)s)
        ORDER BY k.key, b.body IS NULL, o.occurred_at DESC, p.ingestion_source DESC, p.id DESC
        """,
        {"keys": list(keys), "org": org_id, "type": source_type},
    )
    return {
        row[0]: LatestPayload(row[0], row[1], row[2], row[3], row[4] or {}, row[5]) for row in rows
    }


def waiting(conn: Connection, org_id: str, provider: str, delivery_ids: Sequence[str]) -> set[str]:
    """The deliveries among these that are stored for the organisation and not captured yet."""
    rows = conn.execute(
        """
        SELECT p.delivery_id FROM lightfast.raw_payloads p
        JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
        WHERE p.provider = %s AND p.delivery_id = ANY(%s) AND p.org_id = %s
        """,
        (provider, list(delivery_ids), org_id),
    )
    return {row[0] for row in rows}


def list_sweeps(conn: Connection) -> list[Sweep]:
    rows = conn.execute(
        """
        SELECT w.slug, r.provider, coalesce(r.resource_name, r.provider_resource_id), s.entity_type,
               s.started_at, s.finished_at, s.requests, s.found, s.error
        FROM lightfast.id_sweeps s
        JOIN lightfast.integrations i ON i.id = s.integration_id
        JOIN lightfast.workspaces w ON w.id = i.workspace_id
        JOIN lightfast.resources r ON r.id = i.resource_id
        ORDER BY 1, 2, 3, 4
        """
    )
    return [Sweep(*row) for row in rows]
