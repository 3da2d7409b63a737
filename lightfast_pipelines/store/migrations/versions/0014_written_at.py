"""When an observation's text was written: the names in it mean what they meant then."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.observations ADD COLUMN written_at timestamptz;
        COMMENT ON COLUMN lightfast.observations.written_at IS
          'When its text was written, where that is known; names in it are read as of then.';
        """
    )
