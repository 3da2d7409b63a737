"""Defines the tables of schema `lightfast` (SQLAlchemy Core), one file per subject.

Holds only shapes and comments. The migration creates the tables from these definitions, and the data
dictionary is generated from the comments.
"""

from __future__ import annotations

from lightfast_pipelines.store.tables import (
    backfills,
    clusters,
    connections,
    deliveries,
    documents,
    entities,
    health,
    models,
    observations,
    people,
    quality,
    recovery,
    search,
    stages,
    states,
    vector_index,
    vectors,
    views,
    views_of_code,
    views_of_mentions,
    views_of_tables,
    views_of_work,
    views_shipping,
)
from lightfast_pipelines.store.tables.columns import metadata, view_metadata

__all__ = [
    "backfills",
    "clusters",
    "connections",
    "deliveries",
    "documents",
    "entities",
    "health",
    "metadata",
    "models",
    "observations",
    "people",
    "quality",
    "recovery",
    "search",
    "stages",
    "states",
    "vector_index",
    "vectors",
    "view_metadata",
    "views",
    "views_of_code",
    "views_of_mentions",
    "views_of_tables",
    "views_of_work",
    "views_shipping",
]
