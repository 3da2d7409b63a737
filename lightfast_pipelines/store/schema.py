"""The whole schema: every table, whichever file describes it."""

from __future__ import annotations

from lightfast_pipelines.store import tables, tables_of_dagster, tables_of_history

metadata = tables.metadata
__all__ = ["metadata", "tables", "tables_of_dagster", "tables_of_history"]
