"""The activity: what was done to installations, links and backfills, and by whom, for an operator.

A row is inserted in the transaction of the change itself. No row holds a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """A row of `activity`. `workspace` is None for what concerns a whole organisation, or all of them."""

    id: int
    at: datetime
    org_id: str | None
    workspace: str | None
    provider: str | None
    subject: str | None
    action: str
    actor: str
    message: str
    detail: Mapping[str, Any]


def record(  # noqa: PLR0913 - each column by name
    conn: Connection,
    action: str,
    actor: str,
    message: str,
    *,
    org_id: str | None = None,
    workspace_id: int | None = None,
    provider: str | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Inserts a row. `actor` is `operator:NAME`, `dagster:RUN` or `schedule:NAME`. Does not commit."""
    conn.execute(
        """
        INSERT INTO lightfast.activity
          (at, org_id, workspace_id, provider, subject, action, actor, message, detail)
        VALUES (clock_timestamp(), %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(org_id, workspace_id, provider, subject, action, actor, message),
            json.dumps(dict(detail or {}), default=str),
        ),
    )


def list_activity(
    conn: Connection,
    *,
    workspace_id: int | None = None,
    provider: str | None = None,
    action: str | None = None,
    limit: int = 50,
) -> list[ActivityEntry]:
    """Newest first. With a workspace: its own rows, and those of its organisation or of all.

    `action` is a whole action (`credential.refused`) or its first part (`credential`).
    """
    rows = conn.execute(
        """
        SELECT a.id, a.at, a.org_id, w.slug, a.provider, a.subject, a.action, a.actor, a.message, a.detail
        FROM lightfast.activity a LEFT JOIN lightfast.workspaces w ON w.id = a.workspace_id
        WHERE (%(workspace)s::bigint IS NULL OR a.workspace_id = %(workspace)s
               OR (a.workspace_id IS NULL AND (a.org_id IS NULL OR a.org_id =
                     (SELECT org_id FROM lightfast.workspaces WHERE id = %(workspace)s))))
          AND (%(provider)s::text IS NULL OR a.provider = %(provider)s)
          AND (%(action)s::text IS NULL OR a.action = %(action)s
               OR starts_with(a.action, %(action)s || '.'))
        ORDER BY a.at DESC, a.id DESC LIMIT %(limit)s
        """,
        {"workspace": workspace_id, "provider": provider, "action": action, "limit": limit},
    )
    return [ActivityEntry(*row) for row in rows]
