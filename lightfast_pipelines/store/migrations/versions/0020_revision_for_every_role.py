"""Every role sees at which revision the database is, and none but the owner can change that.

A process that logs in as its role alone can then tell whether it fits the database.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        GRANT SELECT ON lightfast.schema_version
          TO lightfast_receiver, lightfast_pipeline, lightfast_analyst;
        REVOKE INSERT, UPDATE, DELETE ON lightfast.schema_version FROM lightfast_pipeline;
        """
    )
