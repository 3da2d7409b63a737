"""Reading the providers' history: requests for it, what is covered, and rate limits."""

from __future__ import annotations

from sqlalchemy import REAL, BigInteger, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE, TSTZRANGE

from lightfast_pipelines.store.tables.columns import (
    EMPTY_OBJECT,
    NOW,
    TIME,
    ZERO,
    column,
    metadata,
    reference,
    serial_id,
    workspace_id,
)

backfills = Table(
    "backfills",
    metadata,
    serial_id(),
    workspace_id(index=True),
    column("provider", Text, "Provider; null: all.", nullable=True),
    column("integration_ids", ARRAY(BigInteger), "Integrations whose history was requested."),
    column("entity_types", ARRAY(Text), "Entity types requested; empty: all."),
    column("since", TIME, "Start of the requested time."),
    column("until", TIME, "End of the requested time."),
    column("status", Text, "running, completed, failed or cancelled."),
    column("requested_by", Text, "Who or what requested it."),
    column("dagster_run_id", Text, "Dagster run that reads it, if any.", nullable=True),
    column(
        "estimate", JSONB, "Requests, points and seconds expected.", server_default=EMPTY_OBJECT
    ),
    column("actual", JSONB, "Requests, points and seconds so far.", server_default=EMPTY_OBJECT),
    column("error", Text, "Why parts of it failed, for an operator.", nullable=True),
    column("cancelled_by", Text, "Who cancelled it.", nullable=True),
    column("started_at", TIME, "When it began.", server_default=NOW),
    column("updated_at", TIME, "When it last stored a page.", server_default=NOW),
    column("finished_at", TIME, "When it ended.", nullable=True),
    comment="A request to read some time of the providers' history.",
)

backfill_coverage = Table(
    "backfill_coverage",
    metadata,
    reference(
        "integration_id", "integrations.id", "Integration whose resource it is.", primary_key=True
    ),
    column("entity_type", Text, "pull_request, commit, deployment, ...", primary_key=True),
    column(
        "covered",
        TSTZMULTIRANGE,
        "Intervals that are fully fetched.",
        server_default=text("'{}'::tstzmultirange"),
    ),
    column(
        "nothing",
        TSTZMULTIRANGE,
        "Intervals of `covered` for which the provider had nothing or had the feature switched off; "
        "they are requested again.",
        server_default=text("'{}'::tstzmultirange"),
    ),
    column("pages", BigInteger, "Pages fetched so far.", server_default=ZERO),
    column("records", BigInteger, "Records stored so far.", server_default=ZERO),
    column(
        "status",
        Text,
        "Latest walk: pending, running, completed, cancelled, failed or truncated.",
        server_default=text("'pending'"),
    ),
    column("walking", TSTZRANGE, "Interval of the walk under way.", nullable=True),
    column("cursor", JSONB, "Position of that walk; null: none is under way.", nullable=True),
    column("page_size", Integer, "Items per page of that walk.", nullable=True),
    column(
        "expected", BigInteger, "The provider's own total for the latest window.", nullable=True
    ),
    column("stored", BigInteger, "Items stored of the latest window.", nullable=True),
    column("error", Text, "Why the latest walk failed, for an operator.", nullable=True),
    column("etag", Text, "ETag of the newest page.", nullable=True),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    comment="How much of a resource's history is fully fetched, and the position of a walk.",
)

api_budgets = Table(
    "api_budgets",
    metadata,
    reference(
        "installation_id", "installations.id", "Installation whose limit it is.", primary_key=True
    ),
    column("pool", Text, "The provider's name of the limit: core, graphql, ...", primary_key=True),
    column("limit_", REAL, "Most requests or points in one window.", nullable=True),
    column("window_seconds", REAL, "Length of the window.", nullable=True),
    column("remaining", REAL, "What is left, less requests under way.", nullable=True),
    column("resets_at", TIME, "When the limit is full again.", nullable=True),
    column("blocked_until", TIME, "No request before this time (Retry-After).", nullable=True),
    column("updated_at", TIME, "When a response last reported it.", server_default=NOW),
    comment="What is left of an installation's rate limit, shared by all processes.",
)
