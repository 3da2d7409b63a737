"""Defines the tables of schema `lightfast` (SQLAlchemy Core), one file per subject.

Holds only shapes and comments. The migration creates the tables from these definitions, and the data
dictionary is generated from the comments.
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
