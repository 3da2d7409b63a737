"""Puts deliveries back into the queue: those of some days, those of older rules, dead letters, or all.

`capture/` then captures them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date

from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace
from lightfast_pipelines.store.locks import hold_capture, job_lock

# Derived tables, children first. Inputs (deliveries, links, workspaces) are not listed.
DERIVED = (
    "stage_failures",
    "memory_vectors",
    "cluster_members",
    "cluster_log",
    "cluster_aliases",
    "clusters",
    "hosted_embedding_queue",
    "hosted_coverage",
    "hosted_models",
    "observation_vectors",
    "temporal_states",
    "state_changes",
    "relationships",
    "relationship_sources",
    "commit_parents",
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
    "embedding_queue",
    "cluster_queue",
    "observation_words",
    "observation_facts",
    "doubtful_identities",
    "actor_identities",
    "actor_profiles",
    "actors",
    # Last, as deleting the others adds rows.
    "layer_changes",
)

# What happened to clusters cannot be derived again, and their former ids have been given to people.
_OUTLIVE = frozenset(("cluster_log", "cluster_aliases"))

_STAGES = (
    "capture",
    "embeddings",
    "hosted_embeddings",
    "clusters",
    "consolidation",
    "profiles",
    "summaries",
    "layers",
    "index",
)


@contextmanager
def hold_stages(conn: Connection, waits: Callable[[str], None]) -> Iterator[None]:
    """Takes the job locks of all stages that write derived rows, for whoever deletes many of them: tables
    are emptied in another order than a stage writes them, and each would wait for the other."""
    with ExitStack() as held:
        for stage in _STAGES:
            held.enter_context(job_lock(conn, stage, wait=True, waits=waits))
        yield


def requeue_days(conn: Connection, days: Sequence[date]) -> int:
    """Requeues the deliveries of these partition days; returns how many."""
    hold_capture(conn)
    queued = conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT p.id, p.partition_date FROM lightfast.raw_payloads p
        WHERE p.partition_date = ANY(%s) AND EXISTS (
          SELECT FROM lightfast.raw_bodies b WHERE b.raw_payload_id = p.id AND b.received_at = p.received_at)
        ON CONFLICT DO NOTHING
        """,
        (list(days),),
    )
    return queued.rowcount


def requeue_outdated(conn: Connection) -> int:
    """Requeues deliveries whose outcome an older version of their provider's rules decided.

    A delivery whose body retention has dropped keeps its outcome.
    """
    hold_capture(conn)
    versions = {name: provider.rule_version for name, provider in discover().items()}
    queued = conn.execute(
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
    return queued.rowcount


def replay(conn: Connection, statuses: Sequence[str], workspace: Workspace | None = None) -> int:
    """Requeues dead letters or parked deliveries; their attempts start at zero again.

    For one workspace this includes deliveries without a known workspace that were ingested for its
    organisation or verified by the secret of one of the organisation's installations.
    """
    hold_capture(conn)
    queued = conn.execute(
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
    return queued.rowcount


def rebuild(conn: Connection) -> int:
    """Deletes what can be derived again and requeues every delivery; returns how many wait.

    If retention has dropped bodies, nothing is deleted, because only those bodies state some of the rows;
    the other deliveries are folded into the rows that exist. The caller holds the stages (`hold_stages`),
    commits, then captures.
    """
    hold_capture(conn)
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
            if table not in _OUTLIVE:
                conn.execute(f"DELETE FROM lightfast.{table}")
        marked = conn.execute("SELECT workspace_id FROM lightfast.consolidation_marks")
        mark_changed(conn, [workspace for (workspace,) in marked])
    queued = conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT p.id, p.partition_date FROM lightfast.raw_payloads p
        WHERE EXISTS (SELECT FROM lightfast.raw_bodies b
                      WHERE b.raw_payload_id = p.id AND b.received_at = p.received_at)
        ON CONFLICT DO NOTHING
        """
    )
    return queued.rowcount
