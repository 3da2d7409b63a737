"""Deliveries as they were stored, the queue they wait in, and their outcomes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Date, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_OBJECT,
    NOW,
    TEXTS,
    TIME,
    ZERO,
    column,
    metadata,
    references,
    serial_id,
)

raw_payloads = Table(
    "raw_payloads",
    metadata,
    serial_id("Serial number of arrival."),
    column(
        "org_id",
        Text,
        "Organisation it was ingested for by hand; null for webhooks.",
        nullable=True,
    ),
    column("provider", Text, "Provider that sent it."),
    column("delivery_id", Text, "The provider's id of the delivery, stable over its retries."),
    column("body_sha256", LargeBinary, "SHA-256 of the body's bytes."),
    column("event_type", Text, "The event's name as the provider gives it."),
    column("ingestion_source", Text, "webhook, backfill, manual or api."),
    column(
        "received_at",
        TIME,
        "When it was received (for a file: what the file says, else when it was read).",
    ),
    column("partition_date", Date, "Daily partition it belongs to; fixed when written."),
    column(
        "verified_by",
        Text,
        "Name of the secret that verified it (`env:...`, `installation:...`), `credential:...` or `manual`.",
    ),
    Index(
        "uq_raw_payloads_delivery",
        "provider",
        "delivery_id",
        "event_type",
        "body_sha256",
        "org_id",
        text("split_part(verified_by, '#', 1)"),
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_raw_payloads_partition_date", "partition_date"),
    comment="A verified delivery. Insert-only; its bytes stand in raw_bodies, what became of it in outcomes.",
)

raw_bodies = Table(
    "raw_bodies",
    metadata,
    column("raw_payload_id", BigInteger, "The delivery.", primary_key=True),
    column("received_at", TIME, "Partition key: months of receipt.", primary_key=True),
    column("body", LargeBinary, "The bytes exactly as they came."),
    column(
        "headers", JSONB, "Headers worth keeping, lower-case names.", server_default=EMPTY_OBJECT
    ),
    comment="The bytes of a delivery. Partitioned by month of receipt; retention drops partitions.",
    postgresql_partition_by="RANGE (received_at)",
)

raw_queue = Table(
    "raw_queue",
    metadata,
    column(
        "raw_payload_id",
        BigInteger,
        "The delivery that waits.",
        references("raw_payloads.id"),
        primary_key=True,
    ),
    column("partition_date", Date, "Its daily partition."),
    column("enqueued_at", TIME, "When it began to wait.", server_default=NOW),
    column("attempts", Integer, "Failed attempts so far.", server_default=ZERO),
    column(
        "lane",
        BigInteger,
        "Whose turn it waits for: a workspace, 0: linked to none, -1: not readable; null: not looked at yet.",
        nullable=True,
    ),
    Index("ix_raw_queue_partition_date", "partition_date", "raw_payload_id"),
    Index(
        "ix_raw_queue_lane",
        "lane",
        "partition_date",
        "raw_payload_id",
        postgresql_where=text("lane is not null and attempts = 0"),
    ),
    Index(
        "ix_raw_queue_attempted",
        text("coalesce(lane, -2)"),
        "attempts",
        "partition_date",
        "raw_payload_id",
        postgresql_where=text("attempts > 0"),
    ),
    Index(
        "ix_raw_queue_not_looked_at",
        "enqueued_at",
        "raw_payload_id",
        postgresql_where=text("lane is null"),
    ),
    comment="Deliveries that wait to be captured. Empty when everything is done.",
)

queue_turns = Table(
    "queue_turns",
    metadata,
    column("lane", BigInteger, "As in raw_queue.", primary_key=True, autoincrement=False),
    column(
        "kind",
        Text,
        "small: for small deliveries, large: for one large one, again: for some attempted before.",
        primary_key=True,
    ),
    column("turn", BigInteger, "Number of the batch; later ones are greater."),
    comment="When each lane of the queue had its latest turn, so that tenants take turns.",
)

outcomes = Table(
    "outcomes",
    metadata,
    serial_id(),
    column("raw_payload_id", BigInteger, "The delivery.", references("raw_payloads.id")),
    column(
        "workspace_id",
        BigInteger,
        "Workspace; null while none is known.",
        references("workspaces.id"),
        nullable=True,
    ),
    column(
        "resource_key", Text, "Resource it was routed by (`github:repository:1`).", nullable=True
    ),
    column("status", Text, "delivered, filtered, parked or dlq."),
    column(
        "reason", Text, "Why it is filtered, parked or dead; null where delivered.", nullable=True
    ),
    column("attempts", Integer, "Failed attempts so far.", server_default=ZERO),
    column("rule_version", Integer, "Version of the provider's rules that decided."),
    column("processed_at", TIME, "When it was decided.", server_default=NOW),
    column(
        "routes",
        TEXTS,
        "Every key it can be routed by, where there are several; null: resource_key alone.",
        nullable=True,
    ),
    column(
        "waits_for",
        Text,
        "What a parked one waits for: link (its resource to be linked), entity (what it is routed"
        " through to be known) or rules (that understand it).",
        nullable=True,
    ),
    Index(
        "uq_outcomes",
        "raw_payload_id",
        "workspace_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_outcomes_resource_key", "resource_key"),
    Index("ix_outcomes_status", "status", postgresql_where=text("status in ('parked', 'dlq')")),
    Index("ix_outcomes_rule_version", "rule_version"),
    Index("ix_outcomes_workspace", "workspace_id"),
    Index("ix_outcomes_processed", "processed_at"),
    comment="What became of a delivery, per workspace.",
)

first_receipts = Table(
    "first_receipts",
    metadata,
    column(
        "workspace_id",
        BigInteger,
        "Workspace in which the body states its facts; null for changes of connections, resources and names.",
        references("workspaces.id"),
        nullable=True,
    ),
    column(
        "verified_for",
        Text,
        "Secret and organisation that vouch for it; empty where a workspace is named.",
    ),
    column("provider", Text, "Provider that sent it."),
    column("body_sha256", LargeBinary, "SHA-256 of the body."),
    column(
        "raw_payload_id",
        BigInteger,
        "The first delivery of this body; any other states nothing.",
        references("raw_payloads.id"),
        index=True,
    ),
    Index(
        "uq_first_receipts",
        "body_sha256",
        "provider",
        "verified_for",
        "workspace_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_first_receipts_workspace", "workspace_id"),
    comment="Which delivery of a body counts, as the same body may be sent again under other ids.",
)
