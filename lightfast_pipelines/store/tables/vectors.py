"""Vectors of observations, and what the hosted embedding model still has to embed."""

from __future__ import annotations

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, Table, Text, text

from lightfast_pipelines.store.tables.columns import (
    NOW,
    TIME,
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
    column("rule_version", Integer, "Version of the rule that makes the texts of the views."),
    workspace_id(),
    # In half precision: half the bytes, and the same ten neighbours (docs/how-it-works.md).
    column("vector", HALFVEC(), "Unit vector, or zeros for a text without words."),
    # A search reads one workspace, model and view.
    Index("ix_observation_vectors_workspace", "workspace_id", "model", "view"),
    Index(
        "ix_observation_vectors_titles",
        "model",
        "rule_version",
        postgresql_where=text("view = 'title'"),
    ),
    comment="The vector of one view of an observation by one model.",
)

hosted_models = Table(
    "hosted_models",
    metadata,
    column("model", Text, "Hosted embedding model with its dimensions.", primary_key=True),
    column("is_current", Boolean, "Whether the settings name it; others make no vectors any more."),
    column("started_at", TIME, "When the settings began to name it.", server_default=NOW),
    column(
        "examined_until",
        BigInteger,
        "Observations up to this id were examined, and queued if they need a vector; null: all were.",
        nullable=True,
    ),
    column("examined_at", TIME, "When all had been examined for the first time.", nullable=True),
    comment="A hosted embedding model that makes or made vectors of significant observations.",
)

hosted_coverage = Table(
    "hosted_coverage",
    metadata,
    workspace_id(primary_key=True),
    column(
        "model",
        Text,
        "Hosted embedding model.",
        ForeignKey("lightfast.hosted_models.model", ondelete="CASCADE"),
        primary_key=True,
    ),
    column("covered_at", TIME, "Since when its vectors serve searches.", server_default=NOW),
    comment="A workspace in which a hosted model has embedded all significant observations.",
)

hosted_embedding_queue = Table(
    "hosted_embedding_queue",
    metadata,
    observation_id(),
    workspace_id(),
    column(
        "partition_date", Date, "Its partition: the earliest day of the payloads that state it."
    ),
    column("queued_at", TIME, "When it was queued.", server_default=NOW),
    Index(
        "ix_hosted_embedding_queue_workspace", "workspace_id", "partition_date", "observation_id"
    ),
    Index("ix_hosted_embedding_queue_day", "partition_date"),
    comment="An observation that waits for its vectors by the current hosted embedding model.",
)
