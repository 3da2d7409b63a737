"""Sentry's projects on other servers than sentry.io are known by their number or name and their server."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By the pages of a project's issues, where all of them are of one server.
    op.execute(
        r"""
        UPDATE lightfast.resources r
        SET provider_resource_id = r.provider_resource_id || '@' || s.host
        FROM (
          SELECT r.id, min(h.host) AS host
          FROM lightfast.resources r
          JOIN lightfast.workspaces w ON w.org_id = r.org_id
          JOIN lightfast.entities p ON p.workspace_id = w.id
           AND (p.key = 'sentry:project:' || r.provider_resource_id
                OR (p.category = 'project'
                    AND p.aliases @> ARRAY['sentry:ref:project:' || r.provider_resource_id]))
          JOIN lightfast.entities i ON i.workspace_id = w.id
           AND i.key LIKE 'sentry:issue:' || split_part(p.key, ':', 3) || ':%'
          CROSS JOIN LATERAL (
            SELECT lower(substring(i.url FROM '^https?://([^/:]+)')) AS host
          ) h
          WHERE r.provider = 'sentry' AND h.host IS NOT NULL
          GROUP BY r.id HAVING min(h.host) = max(h.host)
        ) s
        WHERE s.id = r.id AND s.host <> 'sentry.io' AND right(s.host, 10) <> '.sentry.io'
        """
    )
