"""Workspaces and the resources linked to them, which routing reads.

Linking puts the affected payloads back into the queue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lightfast_pipelines.store import activity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.document_queue import forget_documents, queue_integration
from lightfast_pipelines.store.locks import hold_capture
from lightfast_pipelines.store.routed_payloads import requeue_resource

REMOVED = "removed by an operator"
"""The status reason of an integration that was removed; its row is kept."""


_SHOWN_WORKSPACES = 10


class LinkRefusedError(ValueError):
    """A link that is refused; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Workspace:
    id: int
    org_id: str
    slug: str
    name: str

    @property
    def full_name(self) -> str:
        """No other workspace has it; `find_workspace` and SQL's `workspace_named` take it."""
        return f"{self.org_id}/{self.slug}"


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The integration, whether it is new, and how many payloads went back into the queue."""

    integration_id: int
    created: bool
    requeued: int


@dataclass(frozen=True, slots=True)
class Integration:
    """A link. An active resource has the status of its installation."""

    id: int
    workspace: str
    provider: str
    resource_id: str
    resource_name: str | None
    resource_status: str
    status_reason: str | None
    is_active: bool
    sync_config: Mapping[str, Any]
    connected_at: datetime
    last_synced_at: datetime | None
    sync_status: str
    sync_error: str | None
    credential: str | None
    """The kind of its installation's credential, if there is one."""
    config_status: str
    """Where its documents are named: unknown, absent, ok or invalid; `config_message` says more."""
    config_message: str | None
    last_config_check: datetime | None
    document_count: int
    documents_error: str | None
    """Why its documents wait to be looked at."""


def add_workspace(
    conn: Connection, slug: str, org_id: str = "default", name: str | None = None
) -> Workspace:
    """The workspace, created if it does not exist yet."""
    return make_workspace(conn, slug, org_id, name)[0]


def make_workspace(
    conn: Connection, slug: str, org_id: str = "default", name: str | None = None
) -> tuple[Workspace, bool]:
    """The workspace, and whether it is new."""
    made = conn.execute(
        """
        INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES (%s, %s, %s)
        ON CONFLICT (org_id, slug) DO NOTHING
        """,
        (org_id, slug, name or slug),
    )
    return find_workspace(conn, f"{org_id}/{slug}"), made.rowcount == 1


def list_workspaces(conn: Connection) -> list[Workspace]:
    rows = conn.execute(
        "SELECT id, org_id, slug, name FROM lightfast.workspaces ORDER BY org_id, slug"
    )
    return [Workspace(*row) for row in rows]


def find_workspace(conn: Connection, name: str) -> Workspace:
    """By `slug`, or by `org/slug` if several organisations use the slug. Raises LinkRefusedError."""
    org, slash, slug = name.rpartition("/")
    rows = conn.execute(
        """
        SELECT id, org_id, slug, name FROM lightfast.workspaces
        WHERE slug = %s AND (%s OR org_id = %s) ORDER BY org_id
        """,
        (slug, not slash, org),
    ).fetchall()
    if len(rows) == 1:
        return Workspace(*rows[0])
    if not rows:
        workspaces = ", ".join(each.full_name for each in list_workspaces(conn)[:_SHOWN_WORKSPACES])
        raise LinkRefusedError(
            f"no workspace {name!r} (known: {workspaces or 'none'}): "
            f"add it with `lightfast workspace add {slug}`"
        )
    orgs = ", ".join(f"{row[1]}/{row[2]}" for row in rows)
    raise LinkRefusedError(f"workspace {name!r} is in several organisations: say one of {orgs}")


def link_resource(
    conn: Connection,
    workspace: Workspace,
    provider: str,
    resource_id: str,
    *,
    name: str | None = None,
    meta: Mapping[str, Any] | None = None,
    connected_by: str = "operator",
    installation_id: int | None = None,
) -> LinkReport:
    """Links a resource to a workspace and puts its payloads back into the queue. Does not commit.

    The resource then belongs to the given installation (`installations.id`, of the workspace's
    organisation); without one it gets a manual installation unless it has another. The activity names
    `connected_by` as who did it. Raises LinkRefusedError if another organisation linked it first.
    """
    hold_capture(conn)
    installation = installation_id or _manual_installation(
        conn, workspace.org_id, provider, connected_by
    )
    conn.execute(
        """
        INSERT INTO lightfast.resources
          (installation_id, provider, org_id, provider_resource_id, resource_name, resource_meta)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (provider, provider_resource_id) DO UPDATE SET
          resource_name = coalesce(resources.resource_name, excluded.resource_name),
          resource_meta = excluded.resource_meta || resources.resource_meta,
          installation_id = CASE WHEN %s THEN excluded.installation_id
                                 ELSE resources.installation_id END
        WHERE resources.org_id = excluded.org_id
        """,
        (
            installation,
            provider,
            workspace.org_id,
            resource_id,
            name,
            json.dumps(dict(meta or {}), sort_keys=True),
            installation_id is not None,
        ),
    )
    row = conn.execute(
        "SELECT id, org_id FROM lightfast.resources WHERE provider = %s AND provider_resource_id = %s",
        (provider, resource_id),
    ).fetchone()
    assert row is not None
    if row[1] != workspace.org_id:
        raise LinkRefusedError(
            f"{provider} resource {resource_id} belongs to another organisation, which linked it first; "
            "it must be removed there before it can be linked here"
        )
    made = conn.execute(
        """
        INSERT INTO lightfast.integrations (workspace_id, resource_id, connected_by)
        VALUES (%s, %s, %s)
        ON CONFLICT (workspace_id, resource_id) DO UPDATE SET is_active = true, status_reason = NULL
        WHERE integrations.status_reason = %s
        RETURNING id
        """,
        (workspace.id, row[0], connected_by, REMOVED),
    ).fetchone()
    if made is None:
        return LinkReport(find_integration(conn, workspace, provider, resource_id).id, False, 0)
    requeued = requeue_resource(conn, provider, resource_id)
    activity.record(
        conn,
        "integration.linked",
        connected_by,
        f"{provider} {name or resource_id} was linked to {workspace.slug}",
        org_id=workspace.org_id,
        workspace_id=workspace.id,
        provider=provider,
        subject=f"{provider} {resource_id}",
        detail={"integration": made[0], "requeued": requeued},
    )
    return LinkReport(made[0], True, requeued)


def _manual_installation(conn: Connection, org_id: str, provider: str, connected_by: str) -> int:
    external_id = f"manual:{org_id}"
    conn.execute(
        """
        INSERT INTO lightfast.installations (provider, external_id, org_id, connected_by)
        VALUES (%s, %s, %s, %s) ON CONFLICT (provider, external_id) DO NOTHING
        """,
        (provider, external_id, org_id, connected_by),
    )
    row = conn.execute(
        "SELECT id FROM lightfast.installations WHERE provider = %s AND external_id = %s",
        (provider, external_id),
    ).fetchone()
    assert row is not None
    return int(row[0])


def rename_workspace(conn: Connection, workspace: Workspace, name: str) -> Workspace:
    """Changes the display name. The slug stays, as the ids of observations are made of it."""
    conn.execute("UPDATE lightfast.workspaces SET name = %s WHERE id = %s", (name, workspace.id))
    return replace(workspace, name=name)


_INTEGRATIONS = """
    SELECT i.id, w.slug, r.provider, r.provider_resource_id, r.resource_name,
           CASE WHEN r.status = 'active' THEN n.status ELSE r.status END,
           coalesce(i.status_reason, CASE WHEN r.status = 'active' THEN n.status_reason END,
                    r.status_reason, CASE WHEN t.status = 'refused' THEN t.status_reason END),
           i.is_active, i.sync_config, i.connected_at, i.last_synced_at,
           CASE WHEN t.status = 'refused' THEN 'refused' ELSE i.sync_status END,
           CASE WHEN t.status = 'refused' THEN t.status_reason ELSE i.sync_error END, t.kind,
           i.config_status, i.config_message, i.last_config_check, i.document_count,
           CASE WHEN q.integration_id IS NULL THEN NULL
                WHEN t.id IS NULL THEN 'its files wait for a credential: `lightfast installation credential '
                  || '--provider ' || n.provider || ' --id ' || n.external_id || ' --ask-credential`'
                ELSE q.error END
    FROM lightfast.integrations i
    LEFT JOIN lightfast.document_queue q ON q.integration_id = i.id
    JOIN lightfast.resources r ON r.id = i.resource_id
    JOIN lightfast.installations n ON n.id = r.installation_id
    LEFT JOIN lightfast.tokens t ON t.installation_id = n.id
    JOIN lightfast.workspaces w ON w.id = i.workspace_id
"""


def list_integrations(conn: Connection, workspace: Workspace | None = None) -> list[Integration]:
    rows = conn.execute(
        f"""{_INTEGRATIONS}
        WHERE (%s OR w.id = %s) AND i.status_reason IS DISTINCT FROM %s
        ORDER BY w.slug, r.provider, r.provider_resource_id""",
        (workspace is None, workspace.id if workspace else None, REMOVED),
    )
    return [Integration(*row) for row in rows]


def find_integration(
    conn: Connection, workspace: Workspace, provider: str, resource: str
) -> Integration:
    """By the provider's id of the resource, or its name. Raises LinkRefusedError."""
    rows = conn.execute(
        f"""{_INTEGRATIONS}
        WHERE w.id = %s AND r.provider = %s
          AND (r.provider_resource_id = %s OR lower(r.resource_name) = lower(%s))
        ORDER BY (r.provider_resource_id = %s) DESC""",
        (workspace.id, provider, resource, resource, resource),
    ).fetchall()
    if not rows:
        raise LinkRefusedError(
            f"{provider} resource {resource!r} is not linked to workspace {workspace.slug!r}"
        )
    return Integration(*rows[0])


def set_sync_config(conn: Connection, integration: Integration, config: Mapping[str, Any]) -> int:
    """Replaces what the integration wants and puts its payloads back into the queue; returns how many.

    Capture does not ask which files are documents: if nothing else changed, no payload is read again.
    """
    hold_capture(conn)
    conn.execute(
        "UPDATE lightfast.integrations SET sync_config = %s WHERE id = %s",
        (json.dumps(dict(config), sort_keys=True), integration.id),
    )
    if config.get("documents") != integration.sync_config.get("documents"):
        queue_integration(conn, integration.id, "other settings")
        if _for_capture(config) == _for_capture(integration.sync_config):
            return 0
    return requeue_resource(conn, integration.provider, integration.resource_id)


def _for_capture(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "documents"}


def set_active(
    conn: Connection,
    integration: Integration,
    active: bool,
    reason: str | None,
    *,
    actor: str = "operator",
) -> int:
    """Pauses or resumes. Resuming puts back into the queue what was filtered while it was paused."""
    hold_capture(conn)
    conn.execute(
        "UPDATE lightfast.integrations SET is_active = %s, status_reason = %s WHERE id = %s",
        (active, reason, integration.id),
    )
    if active != integration.is_active or reason == REMOVED:
        ended = "unlinked" if reason == REMOVED else "paused"
        _record(conn, integration, "resumed" if active else ended, actor)
    if active and integration.config_status != "unknown":
        # Retention may have dropped the pushes of a long pause.
        queue_integration(conn, integration.id, "the end of a pause")
    return requeue_resource(conn, integration.provider, integration.resource_id) if active else 0


def remove_integration(
    conn: Connection, integration: Integration, *, actor: str = "operator"
) -> None:
    """Unlinks: new deliveries no longer reach the workspace; what is stored stays, except documents.

    The row is kept, so that what it let in can be rebuilt; linking again reactivates it.
    """
    set_active(conn, integration, active=False, reason=REMOVED, actor=actor)
    forget_documents(conn, integration.id)


def _record(conn: Connection, integration: Integration, what: str, actor: str) -> None:
    row = conn.execute(
        """
        SELECT w.id, w.org_id FROM lightfast.integrations i
        JOIN lightfast.workspaces w ON w.id = i.workspace_id WHERE i.id = %s
        """,
        (integration.id,),
    ).fetchone()
    assert row is not None
    name = integration.resource_name or integration.resource_id
    activity.record(
        conn,
        f"integration.{what}",
        actor,
        f"{integration.provider} {name} was {what} in {integration.workspace}",
        org_id=row[1],
        workspace_id=row[0],
        provider=integration.provider,
        subject=f"{integration.provider} {integration.resource_id}",
        detail={"integration": integration.id},
    )
