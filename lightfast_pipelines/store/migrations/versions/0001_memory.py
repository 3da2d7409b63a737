"""Tables from the delivery to the cluster, the roles that work on them, and the analyst's views."""

from __future__ import annotations

from pathlib import Path

from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    folder = Path(__file__).parent
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    # A server that trusts its private socket needs roles that can log in; elsewhere they are taken by SET ROLE.
    login = "LOGIN" if context.config.attributes["roles_log_in"] else "NOLOGIN"
    for name in ("0001_tables.sql", "0001_roles.sql", "0001_views.sql"):
        connection = op.get_bind()
        connection.exec_driver_sql(
            (folder / name).read_text().replace("{login}", login).replace("%", "%%")
        )


def downgrade() -> None:
    raise NotImplementedError(
        "the first migration is not undone: drop the schema `lightfast` instead"
    )
