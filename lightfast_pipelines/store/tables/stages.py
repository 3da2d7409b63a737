"""How far the stages after capture have come, their failures, and the work to report to Dagster."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from lightfast_pipelines.store.tables.columns import (
    NOW,
    TIME,
    ZERO,
    column,
    metadata,
    reference,
    serial_id,
    workspace_id,
)

consolidation_marks = Table(
    "consolidation_marks",
    metadata,
    workspace_id(primary_key=True),
    column(
        "changes", BigInteger, "Number of batches that changed the workspace.", server_default=ZERO
    ),
    column(
        "consolidated",
        BigInteger,
        "Value of `changes` when clusters and actors were last decided.",
        server_default=ZERO,
    ),
    column("rule_version", Integer, "Version of the rules that decided.", server_default=ZERO),
    column(
        "profiled",
        BigInteger,
        "Sum of `changes` over the organisation when profiles were last made.",
        server_default=ZERO,
    ),
    column(
        "profile_rules", Integer, "Version of the rule that made the profiles.", server_default=ZERO
    ),
    column(
        "summarized",
        BigInteger,
        "Value of `consolidated` when summaries were last written.",
        server_default=ZERO,
    ),
    column(
        "summary_rules",
        Text,
        "Versions of the cluster rules and summary rules that wrote them.",
        server_default=text("''"),
    ),
    comment="What the stages after capture have done for a workspace, against its count of changes.",
)

stage_failures = Table(
    "stage_failures",
    metadata,
    serial_id(),
    workspace_id(),
    reference(
        "observation_id",
        "observation_facts.id",
        "The observation; null where the stage failed for the whole workspace.",
        nullable=True,
    ),
    column(
        "stage",
        Text,
        "embeddings, hosted_embeddings, clusters, people, consolidation, profiles, summaries or layers.",
    ),
    column("rules", Text, "Model or version of the rules that failed; another one tries again."),
    column("attempts", Integer, "Failed attempts, of those during which other work succeeded."),
    column("error_class", Text, "Class of the last error."),
    column("error", Text, "The last error, shortened and without secrets."),
    column("first_failed_at", TIME, "When it first failed under these rules.", server_default=NOW),
    column("last_failed_at", TIME, "When it last failed.", server_default=NOW),
    Index(
        "uq_stage_failures",
        "observation_id",
        "stage",
        "workspace_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_stage_failures_workspace", "workspace_id"),
    comment="Work that a stage after capture failed to do; after four attempts it is given up.",
)

partition_start = Table(
    "partition_start",
    metadata,
    column("is_only", Boolean, "Always true: the table has one row.", server_default=text("true")),
    column("first_day", Date, "First day; storing an older delivery moves it back first."),
    PrimaryKeyConstraint("is_only", name="pk_partition_start"),
    CheckConstraint("is_only", name="ck_partition_start_only"),
    comment="The first daily partition, unless LIGHTFAST_PARTITIONS_START sets one.",
)

unreported_work = Table(
    "unreported_work",
    metadata,
    column("stage", Text, "capture, embeddings, clusters, actors, cluster_consolidation, ..."),
    column(
        "partition_date",
        Date,
        "Day whose rows it wrote; null for work that is not done by day.",
        nullable=True,
    ),
    column("done_at", TIME, "When the work was last done.", server_default=NOW),
    UniqueConstraint(
        "stage", "partition_date", name="uq_unreported_work", postgresql_nulls_not_distinct=True
    ),
    comment="Work of a stage on a day that was done outside Dagster's runs; deleted once Dagster shows it.",
)
