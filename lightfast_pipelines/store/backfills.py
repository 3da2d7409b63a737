"""Backfills: what was requested, how far each has come, and who ended it. `backfill/` runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.store import activity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.sources import Source


@dataclass(frozen=True, slots=True)
class Backfill:
    """A row of `backfills`."""

    id: int
    workspace: str
    provider: str | None
    integrations: int
    entity_types: Sequence[str]
    since: datetime
    until: datetime
    status: str
    requested_by: str
    dagster_run_id: str | None
    estimate: Mapping[str, Any]
    actual: Mapping[str, Any]
    error: str | None
    cancelled_by: str | None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None


def start_backfill(
    conn: Connection,
    sources: Sequence[Source],
    *,
    provider: str | None,
    entity_types: Sequence[str],
    since: datetime,
    until: datetime,
    requested_by: str,
    dagster_run_id: str | None,
) -> int:
    """Starts a backfill of links of one workspace; returns its number. Does not commit."""
    row = conn.execute(
        """
        INSERT INTO lightfast.backfills
          (workspace_id, provider, integration_ids, entity_types, since, until, status, requested_by,
           dagster_run_id)
        VALUES (%s, %s, %s, %s, %s, %s, 'running', %s, %s) RETURNING id
        """,
        (
            sources[0].workspace_id,
            provider,
            [source.integration_id for source in sources],
            list(entity_types),
            since,
            until,
            requested_by,
            dagster_run_id,
        ),
    ).fetchone()
    assert row is not None
    _update_integrations(conn, row[0], "running", None)
    return int(row[0])


def note_estimate(conn: Connection, backfill_id: int, estimate: Mapping[str, Any]) -> None:
    conn.execute(
        "UPDATE lightfast.backfills SET estimate = %s WHERE id = %s",
        (json.dumps(dict(estimate)), backfill_id),
    )


def note_progress(conn: Connection, backfill_id: int, actual: Mapping[str, Any]) -> None:
    conn.execute(
        "UPDATE lightfast.backfills SET actual = %s, updated_at = now() WHERE id = %s",
        (json.dumps(dict(actual)), backfill_id),
    )


def cancelled_by(conn: Connection, backfill_id: int) -> str | None:
    """Who cancelled the backfill, if anybody did."""
    row = conn.execute(
        "SELECT cancelled_by FROM lightfast.backfills WHERE id = %s", (backfill_id,)
    ).fetchone()
    return row[0] if row else None


def ask_to_cancel(conn: Connection, backfill_id: int, actor: str) -> Backfill | None:
    """Makes a running backfill end at its next page; None if it is not running. Does not commit."""
    row = conn.execute(
        """
        UPDATE lightfast.backfills SET cancelled_by = coalesce(cancelled_by, %s)
        WHERE id = %s AND status = 'running' RETURNING id
        """,
        (actor, backfill_id),
    ).fetchone()
    return None if row is None else next(iter(list_backfills(conn, ids=[backfill_id])), None)


def end_backfill(
    conn: Connection,
    backfill_id: int,
    status: str,
    *,
    actual: Mapping[str, Any],
    error: str | None,
    errors: Mapping[int, str],
    now: datetime,
) -> None:
    """Records that it ended as `completed`, `failed` or `cancelled`.

    `errors` are those of single integrations. Does not commit.
    """
    conn.execute(
        """
        UPDATE lightfast.backfills SET status = %s, actual = %s, error = %s, updated_at = now(),
          finished_at = %s
        WHERE id = %s
        """,
        (status, json.dumps(dict(actual)), error, now, backfill_id),
    )
    _update_integrations(conn, backfill_id, status if status != "failed" else "completed", now)
    for integration_id, message in errors.items():
        conn.execute(
            """
            UPDATE lightfast.integrations SET sync_error = %s,
              sync_status = CASE WHEN sync_status = 'refused' THEN sync_status ELSE 'failed' END
            WHERE id = %s
            """,
            (message, integration_id),
        )


def _update_integrations(
    conn: Connection, backfill_id: int, status: str, synced_at: datetime | None
) -> None:
    conn.execute(
        """
        UPDATE lightfast.integrations i SET
          sync_status = CASE WHEN i.sync_status = 'refused' THEN i.sync_status ELSE %(status)s END,
          sync_error = CASE WHEN i.sync_status = 'refused' OR %(status)s = 'cancelled' THEN i.sync_error END,
          last_synced_at = CASE WHEN %(status)s = 'completed' THEN %(at)s ELSE i.last_synced_at END,
          backfill_state = jsonb_build_object('backfill', b.id, 'since', b.since, 'until', b.until,
            'status', b.status, 'actual', b.actual)
        FROM lightfast.backfills b WHERE b.id = %(id)s AND i.id = ANY(b.integration_ids)
        """,
        {"status": status, "at": synced_at, "id": backfill_id},
    )


def run_lock(backfill_id: int) -> str:
    """Name of the lock (`locks.job_lock`) that the process of a running backfill holds."""
    return f"backfill:{backfill_id}"


def end_dead(conn: Connection, now: datetime) -> list[int]:
    """Ends the backfills whose process died (kill -9, a power cut); returns their numbers.

    What they read is kept, and their walks resume at their cursors. Commits.
    """
    rows = conn.execute(
        "SELECT id, actual FROM lightfast.backfills WHERE status = 'running' ORDER BY id"
    ).fetchall()
    dead = []
    for backfill_id, actual in rows:
        with job_lock(conn, run_lock(backfill_id), wait=False) as is_gone:
            if is_gone:
                _end_dead(conn, backfill_id, actual, now)
                dead.append(backfill_id)
    return dead


def _end_dead(conn: Connection, backfill_id: int, actual: Mapping[str, Any], now: datetime) -> None:
    why = "its process ended without a word; what it read is kept, and the next backfill continues there"
    row = conn.execute(
        """
        SELECT w.org_id, w.id, b.provider, b.integration_ids
        FROM lightfast.backfills b JOIN lightfast.workspaces w ON w.id = b.workspace_id
        WHERE b.id = %s AND b.status = 'running'
        """,
        (backfill_id,),
    ).fetchone()
    if row is None:
        return  # it ended by itself meanwhile
    org_id, workspace_id, provider, integrations = row
    errors = dict.fromkeys(integrations, why)
    end_backfill(conn, backfill_id, "failed", actual=actual, error=why, errors=errors, now=now)
    conn.execute(
        """
        UPDATE lightfast.backfill_coverage c SET status = 'cancelled', updated_at = now()
        WHERE c.status = 'running' AND c.integration_id = ANY(%s) AND NOT EXISTS (
          SELECT FROM lightfast.backfills b
          WHERE b.status = 'running' AND c.integration_id = ANY(b.integration_ids))
        """,
        (integrations,),
    )
    activity.record(
        conn,
        "backfill.failed",
        "lightfast",
        why,
        org_id=org_id,
        workspace_id=workspace_id,
        provider=provider,
        subject=f"backfill {backfill_id}",
        detail=actual,
    )
    conn.commit()


def list_backfills(
    conn: Connection,
    *,
    workspace_id: int | None = None,
    ids: Sequence[int] | None = None,
    limit: int = 20,
) -> list[Backfill]:
    """Newest first."""
    rows = conn.execute(
        """
        SELECT b.id, w.slug, b.provider, cardinality(b.integration_ids), b.entity_types, b.since,
               b.until, b.status, b.requested_by, b.dagster_run_id, b.estimate, b.actual, b.error,
               b.cancelled_by, b.started_at, b.updated_at, b.finished_at
        FROM lightfast.backfills b JOIN lightfast.workspaces w ON w.id = b.workspace_id
        WHERE (%(workspace)s::bigint IS NULL OR w.id = %(workspace)s)
          AND (%(all)s OR b.id = ANY(%(ids)s))
        ORDER BY b.id DESC LIMIT %(limit)s
        """,
        {
            "workspace": workspace_id,
            "all": ids is None,
            "ids": list(ids or ()),
            "limit": limit,
        },
    )
    return [Backfill(*row) for row in rows]
