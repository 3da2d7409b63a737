"""Alembic's entry: runs on the connection that `store.migrate` hands over, in one transaction."""

from __future__ import annotations

from alembic import context

from lightfast_pipelines.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="schema_version",
    version_table_schema="lightfast",
)
with context.begin_transaction():
    context.run_migrations()
