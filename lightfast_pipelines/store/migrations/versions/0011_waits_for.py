"""What a parked delivery waits for, as a value rather than as prose."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.outcomes ADD COLUMN waits_for text;
        COMMENT ON COLUMN lightfast.outcomes.waits_for IS
          'What a parked one waits for: link (its resource to be linked), entity (what it is routed'
          ' through to be known) or rules (that understand it).';
        UPDATE lightfast.outcomes SET waits_for = CASE
          WHEN reason LIKE '% is not linked to a workspace' THEN 'link'
          WHEN reason LIKE 'nothing is known of %' THEN 'entity'
          ELSE 'rules' END
        WHERE status = 'parked';
        """
    )
