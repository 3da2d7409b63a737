"""Puts payloads back into the queue: days again, newer rules, dead letters, everything.

Capturing them is `batch.capture`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.links import Workspace
from lightfast_pipelines.store.locks import change_routing

# Derived tables, children first; inputs (deliveries, links, workspaces) are never among them.
DERIVED = (
    "stage_failures",
    "cluster_members",
    "cluster_log",
    "cluster_aliases",
    "clusters",
    "observation_vectors",
    "temporal_states",
    "state_changes",
    "relationships",
    "relationship_sources",
    "observation_entities",
    "candidate_mentions",
    "entity_lookups",
    "entity_stubs",
    "entity_aliases",
    "entities",
    "place_names",
    "first_receipts",
    "identity_mentions",
    "occurrence_counts",
    "occurrences",
    "observation_sources",
    "observations",
    "actor_identities",
    "actor_profiles",
    "actors",
)


def requeue_days(conn: Connection, days: Sequence[date]) -> int:
    """Everything that belongs to these partition days waits again. Returns how many payloads do."""
    found = conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT p.id, p.partition_date FROM lightfast.raw_payloads p
        WHERE p.partition_date = ANY(%s) AND EXISTS (
          SELECT FROM lightfast.raw_bodies b WHERE b.raw_payload_id = p.id AND b.received_at = p.received_at)
        ON CONFLICT DO NOTHING
        """,
        (list(days),),
    )
    return found.rowcount


def requeue_outdated(conn: Connection) -> int:
    """Payloads whose outcome was decided by older rules than their provider has now wait again.

    Not those whose body retention has dropped: what they became stays.
    """
    versions = {name: provider.rule_version for name, provider in discover().items()}
    found = conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT DISTINCT p.id, p.partition_date
        FROM unnest(%s::text[], %s::int[]) AS v (provider, rule_version)
        JOIN lightfast.outcomes o ON o.rule_version < v.rule_version
        JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id AND p.provider = v.provider
        JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE o.status <> 'dlq'
        ON CONFLICT DO NOTHING
        """,
        (list(versions), list(versions.values())),
    )
    return found.rowcount


def replay(conn: Connection, statuses: Sequence[str], workspace: Workspace | None = None) -> int:
    """Dead letters or parked payloads wait again; their attempts begin anew.

    Of a workspace also those that were ingested for its organisation, or verified by the secret of one
    of its installations, and of which nothing tells which workspace they are for.
    """
    found = conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT DISTINCT p.id, p.partition_date
        FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
        WHERE o.status = ANY(%(statuses)s)
          AND (%(workspace)s::bigint IS NULL OR o.workspace_id = %(workspace)s
               OR (o.workspace_id IS NULL AND (p.org_id = %(org)s OR p.verified_by = ANY(
                     SELECT 'installation:' || n.id FROM lightfast.installations n
                     WHERE n.org_id = %(org)s))))
        ON CONFLICT DO NOTHING
        """,
        {
            "statuses": list(statuses),
            "workspace": workspace.id if workspace else None,
            "org": workspace.org_id if workspace else None,
        },
    )
    return found.rowcount


def rebuild(conn: Connection) -> int:
    """Throws everything derived away and puts every payload back. Returns how many wait.

    Where retention has dropped bodies, the rows that only they state are kept, and payloads beside
    them fold into these. The caller commits, and captures afterwards.
    """
    change_routing(conn)
    dropped = conn.execute(
        """
        SELECT EXISTS (
          SELECT FROM lightfast.observation_sources s
          JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
          WHERE NOT EXISTS (SELECT FROM lightfast.raw_bodies b
                            WHERE b.raw_payload_id = p.id AND b.received_at = p.received_at))
        """
    ).fetchone()
    if not (dropped and dropped[0]):
        for table in DERIVED:
            conn.execute(f"DELETE FROM lightfast.{table}")
        conn.execute("UPDATE lightfast.consolidation_marks SET changes = changes + 1")
    found = conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT p.id, p.partition_date FROM lightfast.raw_payloads p
        WHERE EXISTS (SELECT FROM lightfast.raw_bodies b
                      WHERE b.raw_payload_id = p.id AND b.received_at = p.received_at)
        ON CONFLICT DO NOTHING
        """
    )
    return found.rowcount
