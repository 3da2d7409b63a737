"""What is deleted now, and what a sweep for deletions may spend in an hour."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.observations
          ADD COLUMN part_key text COLLATE "C",
          ADD COLUMN is_deleted boolean NOT NULL DEFAULT false;
        COMMENT ON COLUMN lightfast.observations.part_key IS
          'Key of what of the subject it tells of and that can be deleted alone: a comment.';
        COMMENT ON COLUMN lightfast.observations.is_deleted IS
          'Whether its subject, or that part of it, is deleted now: then it is in no search.';
        CREATE INDEX ix_observations_part ON lightfast.observations (workspace_id, part_key)
          WHERE part_key IS NOT NULL;
        DROP INDEX lightfast.ix_observations_unembedded;
        CREATE INDEX ix_observations_unembedded ON lightfast.observations (id)
          WHERE embedding_title_id IS NULL AND NOT is_deleted;

        CREATE VIEW lightfast.remembered AS
        SELECT * FROM lightfast.observations WHERE NOT is_deleted;
        COMMENT ON VIEW lightfast.remembered IS
          'Observations but those whose subject, or whose own comment, is deleted now: what search finds.';
        GRANT SELECT ON lightfast.remembered TO lightfast_analyst, lightfast_pipeline;

        ALTER TABLE lightfast.id_sweeps
          ADD COLUMN hour_from timestamptz,
          ADD COLUMN hour_spent jsonb NOT NULL DEFAULT '{}'::jsonb;
        COMMENT ON COLUMN lightfast.id_sweeps.hour_from IS
          'Since when the share of an hour is counted.';
        COMMENT ON COLUMN lightfast.id_sweeps.hour_spent IS
          'What the sweep cost in that hour, by the provider''s rate limit.';
        """
    )
