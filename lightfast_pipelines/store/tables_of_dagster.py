"""The tables kept for Dagster: where its partitions begin, and what it has not been told yet.

The same `metadata` as `tables.py`; only shapes and comments.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from lightfast_pipelines.store.tables import _NOW, _TIME, _col, metadata

partition_start = Table(
    "partition_start",
    metadata,
    _col(
        "is_only",
        Boolean,
        "Always true: there is one row.",
        server_default=text("true"),
    ),
    _col("first_day", Date, "First day; older deliveries move it back before they are stored."),
    PrimaryKeyConstraint("is_only", name="pk_partition_start"),
    CheckConstraint("is_only", name="ck_partition_start_only"),
    comment="The first daily partition, unless LIGHTFAST_PARTITIONS_START sets one.",
)

unreported_work = Table(
    "unreported_work",
    metadata,
    _col("stage", Text, "capture, embeddings, clusters, actors, cluster_consolidation, ..."),
    _col(
        "partition_date",
        Date,
        "Day whose rows it wrote; null for what is not done by day.",
        nullable=True,
    ),
    _col("done_at", _TIME, "When it was last done.", server_default=_NOW),
    UniqueConstraint(
        "stage",
        "partition_date",
        name="uq_unreported_work",
        postgresql_nulls_not_distinct=True,
    ),
    comment="A stage's work on a day, done outside of Dagster's runs; the row goes once Dagster shows it.",
)
