"""What states an edge is found by both of its ends: a branch has every commit at one of them."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX ix_relationship_sources_ends
          ON lightfast.relationship_sources (subject_id, object_id)
        """
    )
    op.execute("DROP INDEX lightfast.ix_relationship_sources_subject")
