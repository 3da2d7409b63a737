"""Vectors of observations."""

from __future__ import annotations

from pgvector.sqlalchemy import Vector
from sqlalchemy import Index, Table, Text, text

from lightfast_pipelines.store.tables.columns import (
    column,
    metadata,
    observation_id,
    workspace_id,
)

observation_vectors = Table(
    "observation_vectors",
    metadata,
    observation_id(),
    column("view", Text, "title, content or summary.", primary_key=True),
    column("model", Text, "Model that made it; its name holds the dimensions.", primary_key=True),
    workspace_id(),
    column("vector", Vector(), "Unit vector, or zeros for a text without words."),
    # A search reads one workspace, model and view.
    Index("ix_observation_vectors_workspace", "workspace_id", "model", "view"),
    Index("ix_observation_vectors_titles", "model", postgresql_where=text("view = 'title'")),
    comment="The vector of one view of an observation by one model.",
)
