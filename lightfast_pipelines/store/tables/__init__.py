"""The tables of schema `lightfast`, as SQLAlchemy Core, a file a subject: shapes and comments alone.

The migrations create them from here, and the data dictionary is made from their comments.
"""

from __future__ import annotations

from lightfast_pipelines.store.tables import (
    clusters,
    connections,
    deliveries,
    entities,
    history,
    observations,
    people,
    stages,
    states,
)
from lightfast_pipelines.store.tables.columns import metadata

__all__ = [
    "clusters",
    "connections",
    "deliveries",
    "entities",
    "history",
    "metadata",
    "observations",
    "people",
    "stages",
    "states",
]
