"""Which delivery of a body counts: the same body may be sent again under other ids."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lightfast.first_receipts (
          workspace_id bigint REFERENCES lightfast.workspaces (id) ON DELETE CASCADE,
          verified_for text NOT NULL,
          provider text NOT NULL,
          body_sha256 bytea NOT NULL,
          raw_payload_id bigint NOT NULL REFERENCES lightfast.raw_payloads (id) ON DELETE CASCADE
        );
        COMMENT ON TABLE lightfast.first_receipts IS
          'Which delivery of a body counts, as the same body may be sent again under other ids.';
        COMMENT ON COLUMN lightfast.first_receipts.workspace_id IS
          'Workspace in which the body states its facts; null for changes of connections, resources and names.';
        COMMENT ON COLUMN lightfast.first_receipts.verified_for IS
          'Secret and organisation that vouch for it; empty where a workspace is named.';
        COMMENT ON COLUMN lightfast.first_receipts.provider IS 'Provider that sent it.';
        COMMENT ON COLUMN lightfast.first_receipts.body_sha256 IS 'SHA-256 of the body.';
        COMMENT ON COLUMN lightfast.first_receipts.raw_payload_id IS
          'The first delivery of this body; any other states nothing.';

        INSERT INTO lightfast.first_receipts
          (workspace_id, verified_for, provider, body_sha256, raw_payload_id)
        SELECT DISTINCT ON (o.workspace_id, p.provider, p.body_sha256)
               o.workspace_id, '', p.provider, p.body_sha256, p.id
        FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
        WHERE o.status = 'delivered' AND o.workspace_id IS NOT NULL
          AND p.ingestion_source IN ('webhook', 'manual')
        ORDER BY o.workspace_id, p.provider, p.body_sha256,
                 p.received_at, p.delivery_id COLLATE "C", p.id;

        INSERT INTO lightfast.first_receipts
          (workspace_id, verified_for, provider, body_sha256, raw_payload_id)
        SELECT DISTINCT ON (concat_ws(' ', p.verified_by, p.org_id), p.provider, p.body_sha256)
               NULL::bigint, concat_ws(' ', p.verified_by, p.org_id), p.provider, p.body_sha256, p.id
        FROM lightfast.raw_payloads p
        WHERE p.ingestion_source IN ('webhook', 'manual')
          AND EXISTS (SELECT FROM lightfast.lifecycle_events l WHERE l.raw_payload_id = p.id)
        ORDER BY concat_ws(' ', p.verified_by, p.org_id), p.provider, p.body_sha256,
                 p.received_at, p.delivery_id COLLATE "C", p.id;

        CREATE UNIQUE INDEX uq_first_receipts ON lightfast.first_receipts
          (body_sha256, provider, verified_for, workspace_id) NULLS NOT DISTINCT;
        CREATE INDEX ix_lightfast_first_receipts_raw_payload_id
          ON lightfast.first_receipts (raw_payload_id);
        CREATE INDEX ix_first_receipts_workspace ON lightfast.first_receipts (workspace_id);
        GRANT SELECT, INSERT, UPDATE, DELETE ON lightfast.first_receipts TO lightfast_pipeline;
        GRANT SELECT ON lightfast.first_receipts TO lightfast_analyst;
        """
    )
