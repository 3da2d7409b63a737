"""Reads the memory into pandas: `import lightfast_pipelines.read as lf`.

    lf.table("deployments", workspace="acme", since="30 days")
    lf.observations("acme", since="2026-05-01", types="pull-request.merged")
    lf.states("acme", at="2026-05-01", state_type="status")
    lf.query("SELECT author, count(*) FROM changes GROUP BY 1")

Each function reads with the analyst's role. Without `on=` it uses one connection that the process shares,
to the database that the settings name; `lf.connect` opens another. With `chunks=50_000` a function gives an
iterator of data frames with at most so many rows, for what does not fit into memory.

Only reading belongs here. pandas and numpy are imported inside functions, so that importing this is cheap.
"""

from __future__ import annotations

from lightfast_pipelines.read.analyst_connection import AnalystConnection, connect
from lightfast_pipelines.read.errors import ReadError
from lightfast_pipelines.read.from_observations import observations
from lightfast_pipelines.read.from_states import states
from lightfast_pipelines.read.from_tables import columns, query, table, tables

__all__ = [
    "AnalystConnection",
    "ReadError",
    "columns",
    "connect",
    "observations",
    "query",
    "states",
    "table",
    "tables",
]
