"""Requests for the providers' history: what was asked for, how far it is, who ended it.

One row a request, whoever asked. How the history is read stands in `history/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.store import activity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.links import REMOVED
from lightfast_pipelines.store.locks import job_lock


@dataclass(frozen=True, slots=True)
class Source:
    """A linked resource whose history can be read."""

    integration_id: int
    workspace_id: int
    workspace: str
    org_id: str
    installation_id: int
    installation: str
    account_login: str | None
    account: Mapping[str, Any]
    provider: str
    resource_id: str
    resource_name: str | None
    meta: Mapping[str, Any]
    has_credential: bool
    refused: str | None
    """Why its credential is refused, or its connection or resource is gone."""

    @property
    def name(self) -> str:
        return f"{self.provider} {self.resource_name or self.resource_id}"


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


def find_sources(
    conn: Connection,
    *,
    workspace_id: int | None = None,
    provider: str | None = None,
    resources: Sequence[str] = (),
) -> list[Source]:
    """Active links, of these resources (by the provider's id or by name) where any are named."""
    rows = conn.execute(
        """
        SELECT i.id, w.id, w.slug, w.org_id, n.id, n.external_id, n.account_login,
               n.provider_account_info, r.provider, r.provider_resource_id, r.resource_name,
               r.resource_meta, t.id IS NOT NULL,
               CASE
                 WHEN t.status = 'refused' THEN coalesce(t.status_reason, 'the credential is refused')
                 WHEN n.status IN ('error', 'revoked')
                   THEN concat_ws(': ', 'the connection is ' || n.status, n.status_reason)
                 WHEN r.status NOT IN ('active', 'archived')
                   THEN concat_ws(': ', 'the resource is ' || r.status, r.status_reason)
               END
        FROM lightfast.integrations i
        JOIN lightfast.resources r ON r.id = i.resource_id
        JOIN lightfast.installations n ON n.id = r.installation_id
        JOIN lightfast.workspaces w ON w.id = i.workspace_id
        LEFT JOIN lightfast.tokens t ON t.installation_id = n.id
        WHERE i.is_active AND i.status_reason IS DISTINCT FROM %(removed)s
          AND (%(workspace)s::bigint IS NULL OR w.id = %(workspace)s)
          AND (%(provider)s::text IS NULL OR r.provider = %(provider)s)
          AND (%(all)s OR r.provider_resource_id = ANY(%(resources)s)
               OR lower(r.resource_name) = ANY(%(names)s))
        ORDER BY w.slug, r.provider, r.provider_resource_id
        """,
        {
            "removed": REMOVED,
            "workspace": workspace_id,
            "provider": provider,
            "all": not resources,
            "resources": list(resources),
            "names": [name.lower() for name in resources],
        },
    )
    return [Source(*row) for row in rows]


def name_resource(
    conn: Connection, source: Source, name: str | None, meta: Mapping[str, Any]
) -> None:
    """What the provider calls the resource today, and says of it. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.resources SET resource_name = %s, resource_meta = resource_meta || %s,
          updated_at = now()
        WHERE provider = %s AND provider_resource_id = %s AND org_id = %s
        """,
        (name, json.dumps(dict(meta)), source.provider, source.resource_id, source.org_id),
    )


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
    """A new request over links of one workspace, running; its number. Does not commit."""
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
    _tell_integrations(conn, row[0], "running", None)
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
    """Who asked for its end, if anybody did."""
    row = conn.execute(
        "SELECT cancelled_by FROM lightfast.backfills WHERE id = %s", (backfill_id,)
    ).fetchone()
    return row[0] if row else None


def ask_to_cancel(conn: Connection, backfill_id: int, actor: str) -> Backfill | None:
    """Asks a running one to end at its next page; None where it does not run. Does not commit."""
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
    """It ended as `completed`, `failed` or `cancelled`; `errors` are those of single integrations.

    Does not commit.
    """
    conn.execute(
        """
        UPDATE lightfast.backfills SET status = %s, actual = %s, error = %s, updated_at = now(),
          finished_at = %s
        WHERE id = %s
        """,
        (status, json.dumps(dict(actual)), error, now, backfill_id),
    )
    _tell_integrations(conn, backfill_id, status if status != "failed" else "completed", now)
    for integration_id, message in errors.items():
        conn.execute(
            """
            UPDATE lightfast.integrations SET sync_error = %s,
              sync_status = CASE WHEN sync_status = 'refused' THEN sync_status ELSE 'failed' END
            WHERE id = %s
            """,
            (message, integration_id),
        )


def _tell_integrations(
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
    """Name of the lock (`locks.job_lock`) that a running backfill's process holds."""
    return f"backfill:{backfill_id}"


def end_dead(conn: Connection, now: datetime) -> list[int]:
    """Ends those whose process is gone without a word (kill -9, a power cut); their numbers.

    What they read is kept, and their walks go on at their cursors. Commits.
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
    why = "its process ended without a word; what it read is kept, and the next one goes on there"
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
