"""Vectors of clusters, people and entities, and what waits to be sent to a hosted index."""

from __future__ import annotations

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from lightfast_pipelines.store.tables.columns import (
    KEY,
    NOW,
    TEXTS,
    TIME,
    ZERO,
    column,
    metadata,
    serial_id,
    workspace_id,
)

_THING = "Id of the cluster or actor, key of the entity."

memory_vectors = Table(
    "memory_vectors",
    metadata,
    workspace_id(primary_key=True),
    column("layer", Text, "clusters, profiles or entities.", primary_key=True),
    column("key", KEY, _THING, primary_key=True),
    column(
        "model",
        Text,
        "Model that made it, or the vectors that it is the mean of.",
        primary_key=True,
    ),
    column("content_hash", Text, "Hash of what it was made from; the same hash is not made again."),
    column("vector", Vector(), "Unit vector."),
    column("title", Text, "Label of the cluster, name of the person, title of the entity."),
    column("snippet", Text, "What it is about, at most 500 characters."),
    column("source", Text, "Provider of the entity; empty for clusters and people."),
    column("kind", Text, "cluster, person, or the category of the entity."),
    column("occurred_at", TIME, "Time of its latest event."),
    column("significance", Integer, "Highest score of the events that were looked at."),
    column("rule_version", Integer, "Version of the rules that made it."),
    column("made_at", TIME, "When it was last made.", server_default=NOW),
    Index("ix_memory_vectors_rule_version", "rule_version"),
    Index(
        "ix_memory_vectors_latest",
        "workspace_id",
        "kind",
        "occurred_at",
        postgresql_where=text("layer = 'entities'"),
    ),
    comment="The vector of a cluster (its centroid), a person (the mean of their work) or an entity.",
)

layer_changes = Table(
    "layer_changes",
    metadata,
    serial_id("Order of the changes."),
    column("workspace_id", BigInteger, "Workspace; it may be gone."),
    column("layer", Text, "clusters, profiles or entities."),
    column("key", KEY, _THING),
    column(
        "is_local_done",
        Boolean,
        "Whether the local model has made it, and only a hosted one has not.",
        server_default=text("false"),
    ),
    Index("ix_layer_changes_local", "id", postgresql_where=text("not is_local_done")),
    comment="A cluster, person or entity that changed, until its vector has been made again.",
)

hosted_index = Table(
    "hosted_index",
    metadata,
    column("is_only", Boolean, "Always true: the table has one row.", server_default=text("true")),
    column("name", Text, "Service and index: pinecone:lightfast. Another name is filled anew."),
    column("model", Text, "Model whose vectors it holds. Another model is filled anew."),
    column(
        "filled_observation",
        BigInteger,
        "Observations up to this serial number were sent when it was filled.",
        server_default=ZERO,
    ),
    column(
        "filled_vector",
        TEXTS,
        "Workspace, layer and key of the last row of memory_vectors that was sent then.",
        server_default=text("'{}'::text[]"),
    ),
    column("filled_at", TIME, "When all had been sent; null: not yet.", nullable=True),
    column("tried_at", TIME, "When it was last kept up to date, or tried.", server_default=NOW),
    column("succeeded_at", TIME, "When it last had all changes.", nullable=True),
    PrimaryKeyConstraint("is_only", name="pk_hosted_index"),
    CheckConstraint("is_only", name="ck_hosted_index_only"),
    comment="The hosted index that is kept up to date; without a row there is none, and no change is noted.",
)

index_changes = Table(
    "index_changes",
    metadata,
    serial_id("Order of the changes."),
    column("workspace_id", BigInteger, "Workspace; it may be gone."),
    column("layer", Text, "observations, clusters, profiles or entities."),
    column("key", KEY, "External id of the observation, id of the cluster or actor, entity's key."),
    column("attempts", Integer, "How often the index refused it.", server_default=ZERO),
    column("error", Text, "Why it did, shortened.", nullable=True),
    Index("ix_index_changes_refused", "id", postgresql_where=text("attempts > 0")),
    comment="A thing whose vectors or metadata changed, until the hosted index has been updated.",
)

hosted_namespaces = Table(
    "hosted_namespaces",
    metadata,
    column("workspace_id", BigInteger, "Workspace; it may be gone.", primary_key=True),
    column("namespace", Text, "What it is called in the hosted index."),
    column(
        "is_gone",
        Boolean,
        "Whether the workspace was deleted: the namespace is emptied, then this row goes.",
        server_default=text("false"),
    ),
    column("compared_at", TIME, "When the index was last compared with the rows.", nullable=True),
    column("vectors", BigInteger, "Vectors that it had then.", server_default=ZERO),
    column("missing", BigInteger, "Vectors that were missing there.", server_default=ZERO),
    column("orphaned", BigInteger, "Vectors there without a row here.", server_default=ZERO),
    column("examples", TEXTS, "Ids of a few of these.", server_default=text("'{}'::text[]")),
    comment="What a workspace is called in the hosted index, and how well the two agreed last.",
)
