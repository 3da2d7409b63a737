"""Reading the providers' history, and finding what was lost or deleted."""

from __future__ import annotations

from sqlalchemy import REAL, BigInteger, Boolean, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE, TSTZRANGE

from lightfast_pipelines.store.tables.columns import (
    EMPTY_OBJECT,
    NOW,
    TIME,
    ZERO,
    column,
    metadata,
    references,
    serial_id,
    workspace_id,
)

backfills = Table(
    "backfills",
    metadata,
    serial_id(),
    workspace_id(index=True),
    column("provider", Text, "Provider; null: every one.", nullable=True),
    column("integration_ids", ARRAY(BigInteger), "Integrations whose history was asked for."),
    column("entity_types", ARRAY(Text), "Entity types asked for; empty: all."),
    column("since", TIME, "From when on."),
    column("until", TIME, "Until when."),
    column("status", Text, "running, completed, failed or cancelled."),
    column("requested_by", Text, "Who or what asked for it."),
    column("dagster_run_id", Text, "The Dagster run it is, if one.", nullable=True),
    column(
        "estimate", JSONB, "Requests, points and seconds expected.", server_default=EMPTY_OBJECT
    ),
    column("actual", JSONB, "What they came to so far.", server_default=EMPTY_OBJECT),
    column("error", Text, "Why units failed, for an operator.", nullable=True),
    column("cancelled_by", Text, "Who asked for its end.", nullable=True),
    column("started_at", TIME, "When it began.", server_default=NOW),
    column("updated_at", TIME, "When it last got a page.", server_default=NOW),
    column("finished_at", TIME, "When it ended.", nullable=True),
    comment="A request for a stretch of the providers' history.",
)

backfill_coverage = Table(
    "backfill_coverage",
    metadata,
    column(
        "integration_id",
        BigInteger,
        "Integration whose resource it is.",
        references("integrations.id"),
        primary_key=True,
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
        "Intervals of `covered` for which the provider said that it has nothing, or that the feature "
        "is switched off: they are asked for again.",
        server_default=text("'{}'::tstzmultirange"),
    ),
    column("pages", BigInteger, "Pages fetched so far.", server_default=ZERO),
    column("records", BigInteger, "Records stored so far.", server_default=ZERO),
    column(
        "status",
        Text,
        "pending, running, completed, cancelled, failed or truncated: of the latest walk.",
        server_default=text("'pending'"),
    ),
    column("walking", TSTZRANGE, "Interval of the walk that the cursor is in.", nullable=True),
    column("cursor", JSONB, "Where that walk stands; null: none is under way.", nullable=True),
    column("page_size", Integer, "Items a page of that walk.", nullable=True),
    column("expected", BigInteger, "The provider's own total of the latest window.", nullable=True),
    column("stored", BigInteger, "Items seen of the latest window.", nullable=True),
    column("error", Text, "Why the latest walk failed, for an operator.", nullable=True),
    column("etag", Text, "ETag of the newest page.", nullable=True),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    comment="How much of a resource's history is fully fetched, and where a walk stands.",
)

api_budgets = Table(
    "api_budgets",
    metadata,
    column(
        "installation_id",
        BigInteger,
        "Installation whose limit it is.",
        references("installations.id"),
        primary_key=True,
    ),
    column("pool", Text, "The provider's name of the limit: core, graphql, ...", primary_key=True),
    column("limit_", REAL, "At most, in one window.", nullable=True),
    column("window_seconds", REAL, "For how long the limit counts.", nullable=True),
    column("remaining", REAL, "Left, less what is under way.", nullable=True),
    column("resets_at", TIME, "When it is full again.", nullable=True),
    column("blocked_until", TIME, "Nothing is asked before (Retry-After).", nullable=True),
    column("updated_at", TIME, "When an answer last said so.", server_default=NOW),
    comment="What is left of an installation's rate limits, shared by all processes.",
)

delivery_checks = Table(
    "delivery_checks",
    metadata,
    column(
        "installation_id",
        BigInteger,
        "Installation.",
        references("installations.id"),
        primary_key=True,
    ),
    column(
        "log", Text, "Which log of the provider: the app's, or a hook's address.", primary_key=True
    ),
    column(
        "checked_until", TIME, "Deliveries before this moment are accounted for.", nullable=True
    ),
    column("checked_at", TIME, "When it was last read.", nullable=True),
    column("error", Text, "Why it could not be read, for an operator.", nullable=True),
    comment="How far a provider's log of deliveries was compared with what arrived.",
)

outages = Table(
    "outages",
    metadata,
    serial_id(),
    column(
        "installation_id", BigInteger, "Installation.", references("installations.id"), index=True
    ),
    column("log", Text, "Where it was found: a delivery log, or `sweep`."),
    column("down_from", TIME, "First delivery that never arrived."),
    column("down_until", TIME, "Last delivery that never arrived."),
    column("missed", Integer, "Deliveries that never arrived."),
    column("redelivered", Integer, "Of them, sent again on request.", server_default=ZERO),
    column("by_api", Integer, "Of them, taken from the log or the API.", server_default=ZERO),
    column("recovered", Integer, "Of them, stored by now.", server_default=ZERO),
    column("deliveries", ARRAY(Text), "Ids of those that are still missing."),
    column("found_at", TIME, "When it was found.", server_default=NOW),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    UniqueConstraint("installation_id", "log", "down_from"),
    comment="A time in which deliveries were lost, and what was recovered of them.",
)

id_sweeps = Table(
    "id_sweeps",
    metadata,
    column(
        "integration_id",
        BigInteger,
        "Integration whose resource it is.",
        references("integrations.id"),
        primary_key=True,
    ),
    column("entity_type", Text, "issue, comment, deployment, ...", primary_key=True),
    column("cursor", JSONB, "Where the sweep under way stands.", nullable=True),
    column("seen", JSONB, "What the sweep under way has seen so far.", nullable=True),
    column("started_at", TIME, "When the sweep under way began.", nullable=True),
    column("finished_at", TIME, "When the latest whole sweep ended.", nullable=True),
    column("requests", BigInteger, "Requests of all sweeps.", server_default=ZERO),
    column("found", BigInteger, "Things found to be gone, of all sweeps.", server_default=ZERO),
    column("is_active", Boolean, "Whether it is swept.", server_default=text("true")),
    column("hour_from", TIME, "Since when the share of an hour is counted.", nullable=True),
    column(
        "hour_spent",
        JSONB,
        "What the sweep cost in that hour, by the provider's rate limit.",
        server_default=EMPTY_OBJECT,
    ),
    column("error", Text, "Why it could not be swept, for an operator.", nullable=True),
    comment="How far a resource's things were looked for, to find those that are gone.",
)
