"""Tenants take turns: whose a waiting delivery is, who had which turn, and what waits by workspace."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.raw_queue ADD COLUMN lane bigint;
        COMMENT ON COLUMN lightfast.raw_queue.lane IS
          'Whose turn it waits for: a workspace, 0: linked to none, -1: not readable; null: not looked at yet.';
        CREATE INDEX ix_raw_queue_lane ON lightfast.raw_queue
          (lane, partition_date, raw_payload_id) WHERE lane IS NOT NULL AND attempts = 0;
        CREATE INDEX ix_raw_queue_attempted ON lightfast.raw_queue
          (coalesce(lane, -2), attempts, partition_date, raw_payload_id) WHERE attempts > 0;
        CREATE INDEX ix_raw_queue_not_looked_at ON lightfast.raw_queue
          (enqueued_at, raw_payload_id) WHERE lane IS NULL;

        CREATE TABLE lightfast.queue_turns (
          lane bigint NOT NULL,
          kind text NOT NULL,
          turn bigint NOT NULL,
          PRIMARY KEY (lane, kind)
        );
        COMMENT ON TABLE lightfast.queue_turns IS
          'When each lane of the queue had its latest turn, so that tenants take turns.';
        COMMENT ON COLUMN lightfast.queue_turns.lane IS 'As in raw_queue.';
        COMMENT ON COLUMN lightfast.queue_turns.kind IS
          'small: for small deliveries, large: for one large one, again: for some attempted before.';
        COMMENT ON COLUMN lightfast.queue_turns.turn IS 'Number of the batch; later ones are greater.';
        GRANT SELECT, INSERT, UPDATE, DELETE ON lightfast.queue_turns TO lightfast_pipeline;
        GRANT SELECT ON lightfast.queue_turns TO lightfast_analyst;

        CREATE INDEX ix_observations_unembedded_by_workspace ON lightfast.observations
          (workspace_id, id) WHERE embedding_title_id IS NULL AND NOT is_deleted;
        CREATE INDEX ix_observations_unclustered_by_workspace ON lightfast.observations
          (workspace_id, id) WHERE cluster_id IS NULL;
        CREATE INDEX ix_cluster_members_rule_version ON lightfast.cluster_members (rule_version);
        CREATE INDEX ix_observation_vectors_titles ON lightfast.observation_vectors (model)
          WHERE view = 'title';
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
