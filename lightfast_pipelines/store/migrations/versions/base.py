"""The whole schema: the tables as `store/tables` defines them, then what only SQL can define.

Until the first release this is the only migration. To change the schema before then, change the tables
(or the SQL files beside this one), raise `BASE_REVISION` in `store/migrate.py`, and create your database
anew; an older database is refused with a message that says how.

The first release freezes this migration: it then executes the statements that `pg_dump -s` prints
instead of the tables' definition, and every later change is a migration of its own, `NNNN_subject.py`
with the next number.
"""

from __future__ import annotations

from pathlib import Path

from alembic import context, op
from sqlalchemy import Connection

from lightfast_pipelines.store.migrate import BASE_REVISION
from lightfast_pipelines.store.tables import metadata, view_metadata

revision = BASE_REVISION
down_revision = None
branch_labels = None
depends_on = None

# The analysts' views and what they call (`views/NAME.sql`), in the order in which they are made: a view
# may read earlier ones.
VIEWS = (
    "changes",
    "state_intervals",
    "current_states",
    "items",
    "pull_requests",
    "reviews",
    "issues",
    "file_changes",
    "people",
    "repositories",
    "deployments",
    "deployment_periods",
    "releases",
    "release_commits",
    "errors",
    "error_days",
    "incidents",
    "mentions",
)


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
    metadata.create_all(connection, checkfirst=False)
    # Where the server trusts its private socket, each role logs in; elsewhere SET ROLE takes it.
    login = "LOGIN" if context.config.attributes["roles_log_in"] else "NOLOGIN"
    for name in (
        "observations.sql",
        "memory.sql",
        "states.sql",
        "shipping.sql",
        "release_ranges.sql",
        *(f"views/{view}.sql" for view in VIEWS),
        "vectors.sql",
        "similar.sql",
        "documents.sql",
        "search.sql",
        "storage.sql",
        "rights.sql",
    ):
        statements = (Path(__file__).parent / name).read_text().replace("{login}", login)
        connection.exec_driver_sql(statements.replace("%", "%%"))
    for view in view_metadata.sorted_tables:
        _comment(connection, f"VIEW {view.fullname}", view.comment)
        for column in view.columns:
            _comment(connection, f'COLUMN {view.fullname}."{column.name}"', column.comment)


def _comment(connection: Connection, what: str, comment: str | None) -> None:
    quoted = (comment or "").replace("'", "''").replace("%", "%%")
    connection.exec_driver_sql(f"COMMENT ON {what} IS '{quoted}'")
