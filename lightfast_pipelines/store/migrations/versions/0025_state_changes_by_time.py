"""The latest change of a state, on both clocks, without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX ix_state_changes_at ON lightfast.state_changes
          (workspace_id, entity_key, state_type, at) WHERE at > '-infinity';
        CREATE INDEX ix_state_changes_recorded ON lightfast.state_changes
          (workspace_id, entity_key, state_type, recorded_at) WHERE recorded_at > '-infinity';
        DROP INDEX lightfast.ix_state_changes_entity;
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
