"""Since which delivery an installation has had a secret of its own."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.installations ADD COLUMN own_secret_after bigint;
        COMMENT ON COLUMN lightfast.installations.own_secret_after IS
          'Latest raw_payloads.id when it first got a webhook secret of its own; null: it never had one.';
        UPDATE lightfast.installations n SET own_secret_after = (
          SELECT coalesce(max(p.id), 0) FROM lightfast.raw_payloads p
          WHERE p.provider = n.provider AND p.org_id IS NULL AND p.received_at < s.since
        )
        FROM (
          SELECT installation_id, min(created_at) AS since
          FROM lightfast.installation_secrets GROUP BY installation_id
        ) s
        WHERE s.installation_id = n.id;
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
