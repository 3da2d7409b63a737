"""A wrong name of its event hides no delivery; a change of an installation's is that organisation's."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE UNIQUE INDEX uq_raw_payloads_delivery_of ON lightfast.raw_payloads
          (provider, delivery_id, event_type, body_sha256, org_id, split_part(verified_by, '#', 1))
          NULLS NOT DISTINCT;
        DROP INDEX lightfast.uq_raw_payloads_delivery;
        ALTER INDEX lightfast.uq_raw_payloads_delivery_of RENAME TO uq_raw_payloads_delivery;
        GRANT SELECT (event_type) ON lightfast.raw_payloads TO lightfast_receiver;

        ALTER TABLE lightfast.lifecycle_events ADD COLUMN installation text;
        COMMENT ON COLUMN lightfast.lifecycle_events.installation IS
          'Installation that the payload names as its own.';
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
