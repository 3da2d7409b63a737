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
    reference,
    serial_id,
)

raw_payloads = Table(
    "raw_payloads",
    metadata,
    serial_id("Serial number in order of arrival."),
    column(
        "org_id", Text, "Organisation that it was ingested for; null for webhooks.", nullable=True
    ),
    column("provider", Text, "Provider that sent it."),
    column("delivery_id", Text, "The provider's id of the delivery, stable over its retries."),
    column("body_sha256", LargeBinary, "SHA-256 of the body's bytes."),
    column("event_type", Text, "The event's name as the provider gives it."),
    column("ingestion_source", Text, "webhook, backfill, manual or api."),
    column(
        "received_at",
        TIME,
        "When it was received (for a line of a file: the time it gives, else when it was read).",
    ),
    column("partition_date", Date, "Daily partition; fixed when stored."),
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
    comment="A verified delivery. Insert-only; raw_bodies holds its bytes, outcomes what became of it.",
)

raw_bodies = Table(
    "raw_bodies",
    metadata,
    column("raw_payload_id", BigInteger, "The delivery.", primary_key=True),
    column("received_at", TIME, "Partition key: month of receipt.", primary_key=True),
    column("body", LargeBinary, "The bytes exactly as received."),
    column(
        "headers",
        JSONB,
        "Headers that the provider keeps, with lower-case names.",
        server_default=EMPTY_OBJECT,
    ),
    comment="The body of a delivery. Partitioned by month of receipt; retention drops partitions.",
    postgresql_partition_by="RANGE (received_at)",
)

raw_queue = Table(
    "raw_queue",
    metadata,
    reference("raw_payload_id", "raw_payloads.id", "The waiting delivery.", primary_key=True),
    column("partition_date", Date, "Its daily partition."),
    column("enqueued_at", TIME, "When it was queued.", server_default=NOW),
    column("attempts", Integer, "Failed attempts so far.", server_default=ZERO),
    column(
        "lane",
        BigInteger,
        "Whose turn it waits for: a workspace; 0: none is linked; -1: unreadable; null: not decided yet.",
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
    comment="A delivery that waits to be captured. Empty when everything is done.",
)

queue_turns = Table(
    "queue_turns",
    metadata,
    column("lane", BigInteger, "As in raw_queue.", primary_key=True, autoincrement=False),
    column(
        "kind",
        Text,
        "small: small deliveries; large: one large delivery; again: deliveries attempted before.",
        primary_key=True,
    ),
    column("turn", BigInteger, "Number of the batch, increasing."),
    comment="The latest turn of a lane of the queue, so that tenants take turns.",
)

outcomes = Table(
    "outcomes",
    metadata,
    serial_id(),
    reference("raw_payload_id", "raw_payloads.id", "The delivery."),
    reference(
        "workspace_id", "workspaces.id", "Workspace; null while none is known.", nullable=True
    ),
    column(
        "resource_key",
        Text,
        "Resource that it was routed by (`github:repository:1`).",
        nullable=True,
    ),
    column("status", Text, "delivered, filtered, parked or dlq."),
    column(
        "reason",
        Text,
        "Why it was filtered, parked or made a dead letter; null where delivered.",
        nullable=True,
    ),
    column("attempts", Integer, "Failed attempts so far.", server_default=ZERO),
    column("rule_version", Integer, "Version of the provider's rules that decided it."),
    column("processed_at", TIME, "When it was decided.", server_default=NOW),
    column(
        "routes",
        TEXTS,
        "Every key it can be routed by, if there are several; null: only resource_key.",
        nullable=True,
    ),
    column(
        "waits_for",
        Text,
        "What a parked delivery waits for: link (of its resource), entity (through which it is"
        " routed) or rules (that understand it).",
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
    # Most are delivered; the others are counted, and the reasons of the latest are read.
    Index(
        "ix_outcomes_undelivered", "id", "status", postgresql_where=text("status <> 'delivered'")
    ),
    Index("ix_outcomes_rule_version", "rule_version"),
    Index("ix_outcomes_workspace", "workspace_id"),
    Index("ix_outcomes_processed", "processed_at"),
    comment="What became of a delivery in a workspace.",
)

first_receipts = Table(
    "first_receipts",
    metadata,
    reference(
        "workspace_id",
        "workspaces.id",
        "Workspace in which the body states facts; null for changes of connections, resources and names.",
        nullable=True,
    ),
    column(
        "verified_for",
        Text,
        "Secret and organisation that vouch for it; empty where a workspace is given.",
    ),
    column("provider", Text, "Provider that sent it."),
    column("body_sha256", LargeBinary, "SHA-256 of the body."),
    reference(
        "raw_payload_id",
        "raw_payloads.id",
        "The first delivery of this body, the only one that states its facts.",
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
    comment="The delivery of a body that counts: providers send a body again under other ids.",
)
