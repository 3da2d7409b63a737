"""Rules that must hold after a run, as queries for the rows that break them.

Each looks only at rows that the run took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import PARTITION_DAY, TO_CLUSTER, TO_EMBED

# A run by hand may take millions of rows: only its latest ones are checked.
_ROWS = 50_000
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Breach:
    """Rows that break a rule: how many, and the ids of a few."""

    rows: int
    examples: tuple[str, ...]


_DELIVERED = """
SELECT 'payload ' || o.raw_payload_id
FROM lightfast.outcomes o
WHERE o.raw_payload_id = ANY(%(raw_ids)s) AND o.status = 'delivered'
  AND EXISTS (SELECT FROM lightfast.raw_bodies b WHERE b.raw_payload_id = o.raw_payload_id)
  AND NOT EXISTS (
    SELECT FROM lightfast.observation_sources s
    JOIN lightfast.observations n ON n.id = s.observation_id
    WHERE s.raw_payload_id = o.raw_payload_id AND n.workspace_id = o.workspace_id
  )
"""

# Orphans would be among the latest rows: serial ids ascend.
_OBSERVED = """
SELECT 'observation ' || o.external_id
FROM (SELECT id, external_id FROM lightfast.observation_facts ORDER BY id DESC LIMIT 10000) o
-- Looked up one by one: a join reads all that was ever stated.
WHERE (SELECT s.observation_id FROM lightfast.observation_sources s
       WHERE s.observation_id = o.id LIMIT 1) IS NULL
"""

_REASONED = """
SELECT 'payload ' || o.raw_payload_id
FROM lightfast.outcomes o
WHERE o.raw_payload_id = ANY(%(raw_ids)s) AND o.status IN ('filtered', 'parked', 'dlq')
  AND coalesce(o.reason, '') = ''
"""

_CURRENT = """
SELECT t.entity_id || ' ' || t.state_type
FROM lightfast.temporal_states t
JOIN (
  SELECT DISTINCT c.workspace_id, c.entity_key, c.state_type
  FROM lightfast.observation_sources s
  JOIN lightfast.state_changes c ON c.observation_id = s.observation_id
  WHERE s.raw_payload_id = ANY(%(raw_ids)s)
) touched
  ON touched.workspace_id = t.workspace_id AND touched.entity_key = t.entity_id
  AND touched.state_type = t.state_type
WHERE t.superseded_at IS NULL AND t.valid_to IS NULL
GROUP BY t.workspace_id, t.entity_id, t.state_type
HAVING count(*) > 1
"""

# The queues hold only what waits, so a whole day need not be read.
_BEHIND = f"""
SELECT 'observation ' || o.external_id
FROM (
  (SELECT o.id FROM {TO_EMBED.queue} ORDER BY o.id DESC LIMIT 2000)
  UNION
  (SELECT o.id FROM {TO_CLUSTER.queue} ORDER BY o.id DESC LIMIT 2000)
) q
JOIN lightfast.observation_facts o ON o.id = q.id
CROSS JOIN {PARTITION_DAY}
WHERE d.day = ANY(%(days)s)
"""


def processed_since(conn: Connection, since: datetime) -> list[int]:
    """Payloads that have been captured since then, at most the latest 50,000."""
    rows = conn.execute(
        """
        SELECT DISTINCT raw_payload_id FROM (
          SELECT raw_payload_id FROM lightfast.outcomes
          WHERE processed_at >= %s ORDER BY processed_at DESC LIMIT %s
        ) latest
        """,
        (since, _ROWS),
    ).fetchall()
    return [row[0] for row in rows]


def has_captured_since(conn: Connection, since: datetime) -> bool:
    """Whether any payload has been captured since then."""
    captured = conn.execute(
        "SELECT FROM lightfast.outcomes WHERE processed_at >= %s LIMIT 1", (since,)
    )
    return captured.fetchone() is not None


def delivered_without_observation(conn: Connection, raw_ids: Sequence[int]) -> Breach:
    """The payloads among these that were delivered, but state no observation of their workspace."""
    return _breach(conn, _DELIVERED, raw_ids=list(raw_ids))


def observations_without_payload(conn: Connection) -> Breach:
    """Observations among the newest 10,000 that no payload states."""
    return _breach(conn, _OBSERVED)


def outcomes_without_reason(conn: Connection, raw_ids: Sequence[int]) -> Breach:
    """The payloads among these that are filtered, parked or dead letters without a reason."""
    return _breach(conn, _REASONED, raw_ids=list(raw_ids))


def states_current_twice(conn: Connection, raw_ids: Sequence[int]) -> Breach:
    """States that these payloads changed and that have more than one current interval."""
    return _breach(conn, _CURRENT, raw_ids=list(raw_ids))


def observations_behind(conn: Connection, days: Sequence[date]) -> Breach:
    """Observations of these days without a vector or a cluster, among the newest 4,000 of any day."""
    return _breach(conn, _BEHIND, days=list(days))


def _breach(conn: Connection, query: str, **parameters: object) -> Breach:
    rows = conn.execute(
        f"SELECT count(*), (array_agg(found ORDER BY found))[1:{_EXAMPLES}] "
        f"FROM ({query}) breaches (found)",
        parameters,
    ).fetchone()
    conn.rollback()
    assert rows is not None
    return Breach(int(rows[0]), tuple(rows[1] or ()))
