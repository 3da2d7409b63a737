"""Explains why something is in the memory, or why it is not."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.domain.keys import bare_number, bounded
from lightfast_pipelines.store.database import Connection, dict_rows
from lightfast_pipelines.store.linked_resources import Workspace

# At most this many observations, payloads, deliveries or outcomes.
_SHOWN = 20


def explain(conn: Connection, key: str, workspace: Workspace | None) -> dict[str, Any]:
    """The rule version, deliveries and signatures behind an entity, observation or delivery.

    For a key that is not in the memory: what became of the deliveries that could have produced it.
    Empty if nothing is known.
    """
    scope = workspace.id if workspace else None
    key = bounded(key)
    explanation: dict[str, Any] = {}
    entities = dict_rows(conn, _ENTITY, {"key": key, "workspace": scope})
    if entities:
        explanation["entities"] = entities
    observations = dict_rows(conn, _OBSERVATIONS, {"key": key, "workspace": scope, "shown": _SHOWN})
    if observations:
        explanation["observations"] = observations
        explanation["payloads"] = dict_rows(
            conn, _PAYLOADS, ([row["external_id"] for row in observations], _SHOWN)
        )
        conn.rollback()
        return explanation
    deliveries = (
        dict_rows(conn, _DELIVERIES_OF_ONE, (workspace.id, workspace.org_id, key, _SHOWN))
        if workspace
        else dict_rows(conn, _DELIVERIES, (key, _SHOWN))
    )
    if deliveries:
        explanation["deliveries"] = deliveries
    elif not entities and (resource := _resource_of(key)):
        org = workspace.org_id if workspace else None
        missing = dict_rows(conn, _MISSING, (resource, scope, scope, org, _SHOWN))
        if missing:
            explanation["not_there"] = (
                f"no observation or entity has this key; of the deliveries of {resource} these became no rows:"
            )
            explanation["outcomes"] = missing
    conn.rollback()
    return explanation


def _resource_of(key: str) -> str | None:
    """The resource whose deliveries could produce the key: `github:pr:12#3` -> `github:repository:12`."""
    provider, _, rest = key.partition(":")
    kind, _, name = rest.partition(":")
    identifier = name.split("#")[0].split(":")[0].split("|")[0]
    if provider == "github" and kind != "commit" and bare_number(identifier).isdigit():
        return f"github:repository:{identifier}"
    return None


# The entities with a key or alias: a look-up in each workspace.
_NAMED = """
    SELECT e.id FROM lightfast.workspaces w JOIN lightfast.entities e ON e.workspace_id = w.id
    WHERE e.key = %(key)s AND (%(workspace)s::bigint IS NULL OR w.id = %(workspace)s)
    UNION
    SELECT a.entity_id FROM lightfast.workspaces w
    JOIN lightfast.entity_aliases a ON a.workspace_id = w.id
    WHERE a.alias = %(key)s AND (%(workspace)s::bigint IS NULL OR w.id = %(workspace)s)
"""

_ENTITY = f"""
    SELECT w.slug AS workspace, e.key, e.category, e.value AS name, e.is_stub, e.occurrence_count AS mentions,
           e.first_seen_at::text, e.last_seen_at::text, e.url
    FROM ({_NAMED}) named JOIN lightfast.entities e ON e.id = named.id
    JOIN lightfast.workspaces w ON w.id = e.workspace_id
    ORDER BY 1, 2
"""

# Of what everything names (a main branch) those that were captured last.
_OBSERVATIONS = f"""
    SELECT o.external_id, w.slug AS workspace, o.source_id, o.source_type, o.occurred_at::text,
           o.recorded_at::text, o.ingestion_source, o.rule_version, o.title
    FROM (
      SELECT o.id FROM lightfast.observation_facts o WHERE o.external_id = %(key)s
      UNION
      SELECT o.id FROM lightfast.workspaces w
      JOIN lightfast.observation_facts o ON o.workspace_id = w.id AND o.source_id = %(key)s
      UNION
      SELECT m.id FROM ({_NAMED}) named
      CROSS JOIN LATERAL (
        SELECT DISTINCT m.observation_id AS id FROM lightfast.observation_entities m
        WHERE m.entity_id = named.id ORDER BY 1 DESC LIMIT %(shown)s
      ) m
    ) found
    JOIN lightfast.observation_facts o ON o.id = found.id
    JOIN lightfast.workspaces w ON w.id = o.workspace_id
    WHERE %(workspace)s::bigint IS NULL OR o.workspace_id = %(workspace)s
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

# Without the outcomes in other workspaces. An outcome without a workspace belongs to nobody yet.
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
