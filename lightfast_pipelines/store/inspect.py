"""Answers for operators: how things stand, why a thing is there or is not, which state it was in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from lightfast_pipelines.domain.keys import bare_number, bounded
from lightfast_pipelines.store import stage_failures
from lightfast_pipelines.store.clocks import difference, read_future, seconds_ahead
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.links import Workspace

_SHOWN = 20

_STATUS_COUNTS = """
    SELECT status, count(*)::int FROM (
      SELECT (ARRAY['dlq', 'parked', 'delivered', 'filtered'])[
               min(array_position(ARRAY['dlq', 'parked', 'delivered', 'filtered'], o.status))] AS status
      FROM lightfast.outcomes o
      WHERE NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = o.raw_payload_id)
      GROUP BY o.raw_payload_id
    ) payloads GROUP BY status
"""


def _rows(
    conn: Connection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def status(conn: Connection, now: datetime) -> dict[str, Any]:
    """Deliveries by status, how long the oldest has waited, what stages gave up, the size of the memory,
    and clocks.

    `now` is this machine's clock, read just before."""
    apart = difference(seconds_ahead(conn, now))
    later = read_future(conn, now)
    counts: dict[str, int] = {
        str(status): int(count) for status, count in conn.execute(_STATUS_COUNTS)
    }
    waiting = conn.execute(
        "SELECT count(*)::int, min(enqueued_at), extract(epoch FROM now() - min(enqueued_at)) FROM lightfast.raw_queue"
    ).fetchone()
    assert waiting is not None
    deliveries = {"received": waiting[0]}
    for name in ("delivered", "filtered", "parked", "dlq"):
        deliveries[name] = counts.get(name, 0)
    sizes = conn.execute(
        """
        SELECT (SELECT count(*) FROM lightfast.observations), (SELECT count(*) FROM lightfast.entities),
               (SELECT count(*) FROM lightfast.relationships), (SELECT count(*) FROM lightfast.actors),
               (SELECT count(*) FROM lightfast.clusters), (SELECT max(received_at) FROM lightfast.raw_payloads)
        """
    ).fetchone()
    assert sizes is not None
    names = ("observations", "entities", "relationships", "actors", "clusters")
    given_up = stage_failures.counts(conn)
    reasons = _rows(
        conn,
        """
        SELECT status, reason, count(*)::int AS deliveries FROM lightfast.outcomes
        WHERE status <> 'delivered' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s
        """,
        (_SHOWN,),
    )
    conn.rollback()
    return {
        "deliveries": deliveries,
        "lag": {
            "oldest_waiting_since": waiting[1].isoformat() if waiting[1] else None,
            "seconds": round(float(waiting[2]), 1) if waiting[2] is not None else 0.0,
            "last_received_at": sizes[5].isoformat() if sizes[5] else None,
        },
        "given_up_by_stages": given_up,
        "memory": dict(zip(names, sizes[:5], strict=True)),
        "clocks": {
            "this_machine": apart or "agrees with the database's clock",
            "deliveries_on_days_to_come": later.deliveries,
            "last_of_these_days": later.last_day.isoformat() if later.last_day else None,
            "observations_dated_after_now": later.observations,
        },
        "reasons": reasons,
    }


def state(
    conn: Connection,
    key: str,
    at: datetime,
    as_known: datetime | None,
    workspace: Workspace | None,
) -> list[dict[str, Any]]:
    """The states of an entity (key or alias) that held at `at`, as known now or at `as_known`."""
    rows = _rows(
        conn,
        """
        WITH named AS (
          SELECT workspace_id, key FROM lightfast.entities WHERE key = %(key)s
          UNION
          SELECT a.workspace_id, e.key FROM lightfast.entity_aliases a
          JOIN lightfast.entities e ON e.id = a.entity_id WHERE a.alias = %(key)s
        )
        SELECT w.slug AS workspace, t.entity_id AS entity, t.entity_name AS name, t.state_type AS state,
               t.state_value AS value, t.state_metadata AS metadata, t.valid_from, t.valid_to,
               t.recorded_at, coalesce(i.source_username, i.source_name, i.source_id) AS changed_by,
               t.change_reason AS reason, o.external_id AS observation
        FROM named n
        JOIN lightfast.temporal_states t ON t.workspace_id = n.workspace_id AND t.entity_id = n.key
        JOIN lightfast.workspaces w ON w.id = t.workspace_id
        LEFT JOIN lightfast.actor_identities i ON i.id = t.changed_by_identity_id
        LEFT JOIN lightfast.observations o ON o.id = t.related_observation_id
        WHERE (%(workspace)s::bigint IS NULL OR t.workspace_id = %(workspace)s)
          AND t.valid_from <= %(at)s AND (t.valid_to IS NULL OR t.valid_to > %(at)s)
          AND CASE WHEN %(known)s::timestamptz IS NULL THEN t.superseded_at IS NULL
              ELSE t.recorded_at <= %(known)s AND (t.superseded_at IS NULL OR t.superseded_at > %(known)s) END
        ORDER BY 1, 2, 4
        """,
        {
            "key": bounded(key),
            "at": at,
            "known": as_known,
            "workspace": workspace.id if workspace else None,
        },
    )
    conn.rollback()
    for row in rows:
        for column in ("valid_from", "valid_to", "recorded_at"):
            row[column] = row[column].isoformat() if row[column] else None
    return rows


def knows(conn: Connection, key: str, workspace: Workspace | None) -> bool:
    """Whether an entity has this key or alias."""
    found = _rows(
        conn, _ENTITY, {"key": bounded(key), "workspace": workspace.id if workspace else None}
    )
    conn.rollback()
    return bool(found)


def why(conn: Connection, key: str, workspace: Workspace | None) -> dict[str, Any]:
    """From an entity, observation or delivery to the rule version, payloads and signatures behind it;
    for what is not there, what became of the payloads that could have made it. Empty: nothing known.
    """
    scope = workspace.id if workspace else None
    key = bounded(key)
    found: dict[str, Any] = {}
    entities = _rows(conn, _ENTITY, {"key": key, "workspace": scope})
    if entities:
        found["entities"] = entities
    observations = _rows(conn, _OBSERVATIONS, {"key": key, "workspace": scope, "shown": _SHOWN})
    if observations:
        found["observations"] = observations
        found["payloads"] = _rows(
            conn, _PAYLOADS, ([row["external_id"] for row in observations], _SHOWN)
        )
        conn.rollback()
        return found
    deliveries = (
        _rows(conn, _DELIVERIES_OF_ONE, (workspace.id, workspace.org_id, key, _SHOWN))
        if workspace
        else _rows(conn, _DELIVERIES, (key, _SHOWN))
    )
    if deliveries:
        found["deliveries"] = deliveries
    elif not entities and (resource := _resource_of(key)):
        org = workspace.org_id if workspace else None
        missing = _rows(conn, _MISSING, (resource, scope, scope, org, _SHOWN))
        if missing:
            found["not_there"] = (
                f"no observation or entity has this key; of the deliveries of {resource} these became no rows:"
            )
            found["outcomes"] = missing
    conn.rollback()
    return found


def _resource_of(key: str) -> str | None:
    """The resource whose payloads could have made the key: `github:pr:12#3` -> `github:repository:12`."""
    provider, _, rest = key.partition(":")
    kind, _, name = rest.partition(":")
    identifier = name.split("#")[0].split(":")[0].split("|")[0]
    if provider == "github" and kind != "commit" and bare_number(identifier).isdigit():
        return f"github:repository:{identifier}"
    return None


_ENTITY = """
    SELECT w.slug AS workspace, e.key, e.category, e.value AS name, e.is_stub, e.occurrence_count AS mentions,
           e.first_seen_at::text, e.last_seen_at::text, e.url
    FROM lightfast.entities e JOIN lightfast.workspaces w ON w.id = e.workspace_id
    WHERE (%(workspace)s::bigint IS NULL OR e.workspace_id = %(workspace)s)
      AND (e.key = %(key)s OR e.id IN (SELECT entity_id FROM lightfast.entity_aliases WHERE alias = %(key)s))
    ORDER BY 1, 2
"""

_OBSERVATIONS = """
    SELECT DISTINCT o.external_id, w.slug AS workspace, o.source_id, o.source_type, o.occurred_at::text,
           o.recorded_at::text, o.ingestion_source, o.rule_version, o.title
    FROM lightfast.observations o JOIN lightfast.workspaces w ON w.id = o.workspace_id
    WHERE (%(workspace)s::bigint IS NULL OR o.workspace_id = %(workspace)s)
      AND (o.external_id = %(key)s OR o.source_id = %(key)s OR o.id IN (
        SELECT m.observation_id FROM lightfast.observation_entities m
        JOIN lightfast.entities e ON e.id = m.entity_id
        WHERE e.key = %(key)s
           OR e.id IN (SELECT entity_id FROM lightfast.entity_aliases WHERE alias = %(key)s)))
    ORDER BY o.occurred_at::text DESC, o.external_id LIMIT %(shown)s
"""

_PAYLOADS = """
    SELECT DISTINCT p.id AS payload, p.provider, p.event_type AS event, p.delivery_id, p.ingestion_source,
           p.received_at::text, p.verified_by, left(encode(p.body_sha256, 'hex'), 16) AS body_sha256
    FROM lightfast.observations o
    JOIN lightfast.observation_sources s ON s.observation_id = o.id
    JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
    WHERE o.external_id = ANY(%s) ORDER BY p.id LIMIT %s
"""

_DELIVERIES = """
    SELECT d.id AS payload, d.provider, d.event_type AS event, d.received_at::text, d.verified_by, d.status,
           d.status_reason AS reason
    FROM lightfast.deliveries d WHERE d.delivery_id = %s ORDER BY d.id LIMIT %s
"""

# What it became elsewhere is the other workspaces' own; while none is known it is nobody's.
_DELIVERIES_OF_ONE = """
    SELECT p.id AS payload, p.provider, p.event_type AS event, p.received_at::text, p.verified_by,
           CASE WHEN q.raw_payload_id IS NULL THEN o.status ELSE 'received' END AS status, o.reason
    FROM lightfast.raw_payloads p
    JOIN lightfast.outcomes o ON o.raw_payload_id = p.id
     AND (o.workspace_id = %s OR (o.workspace_id IS NULL AND (p.org_id IS NULL OR p.org_id = %s)))
    LEFT JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
    WHERE p.delivery_id = %s ORDER BY p.id LIMIT %s
"""

_MISSING = """
    SELECT o.status, o.reason, p.event_type AS event, count(*)::int AS deliveries,
           max(p.received_at)::text AS last_received_at
    FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
    WHERE o.resource_key = %s AND o.status <> 'delivered'
      AND (%s::bigint IS NULL OR o.workspace_id = %s
           OR (o.workspace_id IS NULL AND (p.org_id IS NULL OR p.org_id = %s)))
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %s
"""
