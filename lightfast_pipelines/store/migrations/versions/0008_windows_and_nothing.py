"""For how long a rate limit counts, and where a provider said that it has nothing."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.api_budgets ADD COLUMN window_seconds real;
        COMMENT ON COLUMN lightfast.api_budgets.limit_ IS 'At most, in one window.';
        COMMENT ON COLUMN lightfast.api_budgets.window_seconds IS 'For how long the limit counts.';

        ALTER TABLE lightfast.backfill_coverage
          ADD COLUMN nothing tstzmultirange NOT NULL DEFAULT '{}'::tstzmultirange;
        COMMENT ON COLUMN lightfast.backfill_coverage.nothing IS
          'Intervals of `covered` for which the provider said that it has nothing, or that the feature '
          'is switched off: they are asked for again.';
        """
    )
