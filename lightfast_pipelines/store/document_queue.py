"""The queue of linked repositories whose documents have to be compared with the repository.

A row is deleted in the transaction that makes the documents agree, and only if nobody asked again
meanwhile. `documents/` looks at them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lightfast_pipelines.store.database import Connection


class LinkedRepository(NamedTuple):
    """A repository as a workspace links it; `pushed` is the commit that was just pushed to it, if any."""

    workspace_id: int
    provider: str
    resource_id: str
    pushed: str | None = None


@dataclass(frozen=True, slots=True)
class QueuedLook:
    """A row of the queue: `asked` is how often it was asked for when the row was read. With `is_recent`
    the provider may still answer with an older head than what was pushed."""

    integration_id: int
    reason: str
    asked: int
    attempts: int
    is_recent: bool = False


_ASK = """
  ON CONFLICT (integration_id) DO UPDATE SET
    asked = q.asked + 1, reason = excluded.reason, queued_at = now(),
    awaited = CASE WHEN excluded.awaited <@ q.awaited THEN q.awaited
                   ELSE (q.awaited || excluded.awaited)[:10] END
"""
_BEHIND = "5 minutes"
"""How long after a push a provider may answer with an older head."""
# Nobody would take the row of an integration that is paused, was removed or wants nothing by itself.
_IS_WANTED = "i.is_active AND i.sync_config -> 'autoSync' IS DISTINCT FROM 'false'::jsonb"
_CAN_BE_READ = """
  t.id IS NOT NULL AND t.status <> 'refused' AND n.status NOT IN ('error', 'revoked')
  AND r.status IN ('active', 'archived')
"""


def queue_repositories(
    conn: Connection, repositories: Iterable[LinkedRepository], reason: str
) -> None:
    """Queues those that are linked and not paused. Does not commit."""
    known = sorted(set(repositories), key=lambda each: (*each[:3], each.pushed or ""))
    columns = [list(column) for column in zip(*known, strict=True)]
    conn.execute(
        f"""
        INSERT INTO lightfast.document_queue AS q (integration_id, workspace_id, reason, awaited)
        SELECT i.id, i.workspace_id, %s, array_remove(array_agg(k.pushed), NULL)
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])
          AS k (workspace_id, provider, resource_id, pushed)
        JOIN lightfast.resources r
          ON r.provider = k.provider AND r.provider_resource_id = k.resource_id
        JOIN lightfast.integrations i ON i.resource_id = r.id AND i.workspace_id = k.workspace_id
        WHERE {_IS_WANTED}
        GROUP BY i.id ORDER BY i.id
        {_ASK}
        """,
        (reason, *columns),
    )


def queue_returned(conn: Connection, provider: str, subject_id: str) -> None:
    """Queues what was looked at before and can be read again: a resource, or all of an installation.

    Without access no pushes came, so a file may have changed unnoticed. Does not commit.
    """
    conn.execute(
        f"""
        INSERT INTO lightfast.document_queue AS q (integration_id, workspace_id, reason)
        SELECT i.id, i.workspace_id, 'access came back'
        FROM lightfast.integrations i
        JOIN lightfast.resources r ON r.id = i.resource_id
        JOIN lightfast.installations n ON n.id = r.installation_id
        WHERE r.provider = %(provider)s AND %(id)s IN (r.provider_resource_id, n.external_id)
          AND {_IS_WANTED} AND i.config_status <> 'unknown'
        ORDER BY i.id
        {_ASK}
        """,
        {"provider": provider, "id": subject_id},
    )


def queue_integration(conn: Connection, integration_id: int, reason: str) -> None:
    """Queues one integration, to be looked at now whatever failed before. Does not commit."""
    conn.execute(
        f"""
        INSERT INTO lightfast.document_queue AS q (integration_id, workspace_id, reason)
        SELECT i.id, i.workspace_id, %s FROM lightfast.integrations i WHERE i.id = %s
        {_ASK}, attempts = 0, not_before = now(), error = NULL
        """,
        (reason, integration_id),
    )


def queue_outdated(conn: Connection, model: str, rule_version: int) -> int:
    """Queues the integrations that have documents of another model or older rules; returns how many.

    A look does not touch documents whose configuration is invalid: the look after the next push makes them again.
    """
    queued = conn.execute(
        """
        INSERT INTO lightfast.document_queue (integration_id, workspace_id, reason)
        SELECT i.id, i.workspace_id, 'another model or newer rules'
        FROM lightfast.integrations i
        -- Ranges of an index, so that what is current is not read.
        WHERE i.id IN (
            SELECT d.integration_id FROM lightfast.documents d
            WHERE d.model < %(model)s OR d.model > %(model)s
               OR (d.model = %(model)s AND d.rule_version < %(rules)s))
          AND i.config_status <> 'invalid'
        ORDER BY i.id
        ON CONFLICT (integration_id) DO NOTHING
        """,
        {"model": model, "rules": rule_version},
    )
    return queued.rowcount


def looks_due(conn: Connection, integration_id: int | None = None) -> list[QueuedLook]:
    """What can be looked at now, the longest waiting first; of one integration if it is given.

    One without a usable credential waits until there is one: a run could do nothing about it. An
    integration that wants nothing by itself is looked at only by name.
    """
    rows = conn.execute(
        f"""
        SELECT q.integration_id, q.reason, q.asked, q.attempts,
               q.queued_at > now() - interval '{_BEHIND}'
        FROM lightfast.document_queue q
        JOIN lightfast.integrations i ON i.id = q.integration_id
        JOIN lightfast.resources r ON r.id = i.resource_id
        JOIN lightfast.installations n ON n.id = r.installation_id
        LEFT JOIN lightfast.tokens t ON t.installation_id = n.id
        WHERE {_CAN_BE_READ} AND q.not_before <= now()
          AND CASE WHEN %(only)s::bigint IS NULL THEN {_IS_WANTED}
                   ELSE i.is_active AND q.integration_id = %(only)s END
        ORDER BY q.queued_at, q.integration_id
        """,
        {"only": integration_id},
    )
    return [QueuedLook(*row) for row in rows]


def begin(conn: Connection, look: QueuedLook, seconds: float) -> None:
    """Counts an attempt; if it never ends, the next one is this much later. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.document_queue SET attempts = attempts + 1,
          not_before = now() + %s * interval '1 second'
        WHERE integration_id = %s
        """,
        (seconds, look.integration_id),
    )


def take_off(conn: Connection, look: QueuedLook, head: str | None = None) -> None:
    """Deletes the row of a look that has succeeded and saw this head.

    The row is due again if it was asked for meanwhile, and in a minute if a commit that was just pushed
    has not been the head yet.
    """
    ended = {
        "integration": look.integration_id,
        "asked": look.asked,
        "recent": look.is_recent,
        "seen": [head] if head else [],
    }
    conn.execute(
        """
        DELETE FROM lightfast.document_queue
        WHERE integration_id = %(integration)s AND asked = %(asked)s
          AND (awaited <@ %(seen)s::text[] OR NOT %(recent)s)
        """,
        ended,
    )
    conn.execute(
        """
        UPDATE lightfast.document_queue SET attempts = 0, error = NULL,
          awaited = ARRAY(SELECT unnest(awaited) EXCEPT SELECT unnest(%(seen)s::text[])),
          not_before = CASE WHEN asked = %(asked)s THEN now() + interval '1 minute' ELSE now() END
        WHERE integration_id = %(integration)s
        """,
        ended,
    )


def put_off(conn: Connection, look: QueuedLook, error: str, seconds: float) -> None:
    """Keeps the row of a look that failed, with the reason; `seconds` if the provider asks for more time
    than the next attempt is away. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.document_queue SET error = %s,
          not_before = greatest(not_before, now() + %s * interval '1 second')
        WHERE integration_id = %s
        """,
        (error, seconds, look.integration_id),
    )


def forget_documents(conn: Connection, integration_id: int) -> None:
    """Deletes an integration's documents: nothing would tell any more that a file is gone."""
    for table in ("document_queue", "documents"):
        conn.execute(f"DELETE FROM lightfast.{table} WHERE integration_id = %s", (integration_id,))
    conn.execute(
        """
        UPDATE lightfast.integrations SET config_status = 'unknown', config_message = NULL,
          document_count = 0, documents_commit = NULL, documents_asked = NULL
        WHERE id = %s
        """,
        (integration_id,),
    )
