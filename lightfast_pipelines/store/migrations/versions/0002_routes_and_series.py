"""Every key a delivery can be routed by, and the series that an observation counts in."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.outcomes ADD COLUMN routes text[];
        COMMENT ON COLUMN lightfast.outcomes.routes IS
          'Every key it can be routed by, where there are several; null: resource_key alone.';
        ALTER TABLE lightfast.observations ADD COLUMN series_key text COLLATE "C";
        COMMENT ON COLUMN lightfast.observations.series_key IS
          'Key of what recurs, where the observation counts occurrences of it.';
        CREATE INDEX ix_observations_series ON lightfast.observations (workspace_id, series_key)
          WHERE series_key IS NOT NULL;
        """
    )
