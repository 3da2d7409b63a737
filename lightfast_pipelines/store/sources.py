"""Lists the linked resources whose history can be read, and says why one cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import REMOVED


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
    """Why it cannot be read: its credential is refused, or its installation or resource is gone."""

    @property
    def name(self) -> str:
        return f"{self.provider} {self.resource_name or self.resource_id}"


def find_sources(
    conn: Connection,
    *,
    workspace_id: int | None = None,
    provider: str | None = None,
    resources: Sequence[str] = (),
) -> list[Source]:
    """The active links; with `resources` only those of these ids or names."""
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
    """Stores the resource's current name and what the provider says about it. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.resources SET resource_name = %s, resource_meta = resource_meta || %s,
          updated_at = now()
        WHERE provider = %s AND provider_resource_id = %s AND org_id = %s
        """,
        (name, json.dumps(dict(meta)), source.provider, source.resource_id, source.org_id),
    )
