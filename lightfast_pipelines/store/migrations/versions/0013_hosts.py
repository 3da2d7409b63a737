"""Repositories of other hosts than github.com are known by their number and their host."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        r"""
        UPDATE lightfast.resources r
        SET provider_resource_id = r.provider_resource_id || '@' || h.host
        FROM (
          SELECT id, regexp_replace(
            lower(substring(resource_meta->>'html_url' FROM '^https?://([^/:]+)')), '^www\.', ''
          ) AS host
          FROM lightfast.resources WHERE provider = 'github'
        ) h
        WHERE h.id = r.id AND h.host <> 'github.com' AND r.provider_resource_id ~ '^[0-9]+$'
        """
    )
