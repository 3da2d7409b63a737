"""The tables of reading the providers' history: credentials, coverage, budgets, activity.

The same `metadata` as `tables.py`; only shapes and comments.
"""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE, TSTZRANGE

from lightfast_pipelines.store.tables import _EMPTY_OBJECT, _NOW, _TIME, _col, _id, _ref, metadata

_ZERO = text("0")

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _col(
        "installation_id",
        BigInteger,
        "Installation whose credential it is; the sealed texts are bound to it.",
        _ref("installations.id"),
        unique=True,
    ),
    _col("kind", Text, "github_app, personal, token, oauth or api_key."),
    _col(
        "access_token", Text, "Sealed with AES-256-GCM; null until one is asked for.", nullable=True
    ),
    _col("refresh_token", Text, "Sealed with AES-256-GCM.", nullable=True),
    _col("key_id", Text, "Which key of ENCRYPTION_KEY opens both."),
    _col("expires_at", _TIME, "When the access token ends; null: never.", nullable=True),
    _col(
        "details",
        JSONB,
        "What is not secret of it: scopes, organisation's slug.",
        server_default=_EMPTY_OBJECT,
    ),
    _col("status", Text, "active or refused.", server_default=text("'active'")),
    _col("status_reason", Text, "Why it is refused, for an operator.", nullable=True),
    _col("refreshed_at", _TIME, "When the access token was last renewed.", nullable=True),
    _col("created_at", _TIME, "When it was first given.", server_default=_NOW),
    _col("updated_at", _TIME, "When the row last changed.", server_default=_NOW),
    comment="An installation's credentials for the provider's API, sealed. An input, never derived.",
)

backfills = Table(
    "backfills",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), index=True),
    _col("provider", Text, "Provider; null: every one.", nullable=True),
    _col("integration_ids", ARRAY(BigInteger), "Integrations whose history was asked for."),
    _col("entity_types", ARRAY(Text), "Entity types asked for; empty: all."),
    _col("since", _TIME, "From when on."),
    _col("until", _TIME, "Until when."),
    _col("status", Text, "running, completed, failed or cancelled."),
    _col("requested_by", Text, "Who or what asked for it."),
    _col("dagster_run_id", Text, "The Dagster run it is, if one.", nullable=True),
    _col("estimate", JSONB, "Requests, points and seconds expected.", server_default=_EMPTY_OBJECT),
    _col("actual", JSONB, "What they came to so far.", server_default=_EMPTY_OBJECT),
    _col("error", Text, "Why units failed, for an operator.", nullable=True),
    _col("cancelled_by", Text, "Who asked for its end.", nullable=True),
    _col("started_at", _TIME, "When it began.", server_default=_NOW),
    _col("updated_at", _TIME, "When it last got a page.", server_default=_NOW),
    _col("finished_at", _TIME, "When it ended.", nullable=True),
    comment="A request for a stretch of the providers' history.",
)

backfill_coverage = Table(
    "backfill_coverage",
    metadata,
    _col(
        "integration_id",
        BigInteger,
        "Integration whose resource it is.",
        _ref("integrations.id"),
        primary_key=True,
    ),
    _col("entity_type", Text, "pull_request, commit, deployment, ...", primary_key=True),
    _col(
        "covered",
        TSTZMULTIRANGE,
        "Intervals that are fully fetched.",
        server_default=text("'{}'::tstzmultirange"),
    ),
    _col(
        "nothing",
        TSTZMULTIRANGE,
        "Intervals of `covered` for which the provider said that it has nothing, or that the feature "
        "is switched off: they are asked for again.",
        server_default=text("'{}'::tstzmultirange"),
    ),
    _col("pages", BigInteger, "Pages fetched so far.", server_default=_ZERO),
    _col("records", BigInteger, "Records stored so far.", server_default=_ZERO),
    _col(
        "status",
        Text,
        "pending, running, completed, cancelled, failed or truncated: of the latest walk.",
        server_default=text("'pending'"),
    ),
    _col("walking", TSTZRANGE, "Interval of the walk that the cursor is in.", nullable=True),
    _col("cursor", JSONB, "Where that walk stands; null: none is under way.", nullable=True),
    _col("page_size", Integer, "Items a page of that walk.", nullable=True),
    _col("expected", BigInteger, "The provider's own total of the latest window.", nullable=True),
    _col("stored", BigInteger, "Items seen of the latest window.", nullable=True),
    _col("error", Text, "Why the latest walk failed, for an operator.", nullable=True),
    _col("etag", Text, "ETag of the newest page.", nullable=True),
    _col("updated_at", _TIME, "When the row last changed.", server_default=_NOW),
    comment="How much of a resource's history is fully fetched, and where a walk stands.",
)

api_budgets = Table(
    "api_budgets",
    metadata,
    _col(
        "installation_id",
        BigInteger,
        "Installation whose limit it is.",
        _ref("installations.id"),
        primary_key=True,
    ),
    _col("pool", Text, "The provider's name of the limit: core, graphql, ...", primary_key=True),
    _col("limit_", REAL, "At most, in one window.", nullable=True),
    _col("window_seconds", REAL, "For how long the limit counts.", nullable=True),
    _col("remaining", REAL, "Left, less what is under way.", nullable=True),
    _col("resets_at", _TIME, "When it is full again.", nullable=True),
    _col("blocked_until", _TIME, "Nothing is asked before (Retry-After).", nullable=True),
    _col("updated_at", _TIME, "When an answer last said so.", server_default=_NOW),
    comment="What is left of an installation's rate limits, shared by all processes.",
)

activity = Table(
    "activity",
    metadata,
    _id(),
    _col("at", _TIME, "When it happened.", server_default=_NOW, index=True),
    _col("org_id", Text, "Organisation.", nullable=True),
    _col("workspace_id", BigInteger, "Workspace, if of one.", _ref("workspaces.id"), nullable=True),
    _col("provider", Text, "Provider, if of one.", nullable=True),
    _col("subject", Text, "What it happened to: resource, installation, backfill.", nullable=True),
    _col("action", Text, "backfill.started, integration.linked, credential.refused, ..."),
    _col("actor", Text, "Who or what did it."),
    _col("message", Text, "In words, for an operator."),
    _col("detail", JSONB, "Numbers and names of it; no secret.", server_default=_EMPTY_OBJECT),
    Index("ix_activity_workspace", "workspace_id", "at"),
    comment="What was done to connections and histories, and by whom.",
)

delivery_checks = Table(
    "delivery_checks",
    metadata,
    _col(
        "installation_id",
        BigInteger,
        "Installation.",
        _ref("installations.id"),
        primary_key=True,
    ),
    _col(
        "log", Text, "Which log of the provider: the app's, or a hook's address.", primary_key=True
    ),
    _col("checked_until", _TIME, "Deliveries before this moment are accounted for.", nullable=True),
    _col("checked_at", _TIME, "When it was last read.", nullable=True),
    _col("error", Text, "Why it could not be read, for an operator.", nullable=True),
    comment="How far a provider's log of deliveries was compared with what arrived.",
)

outages = Table(
    "outages",
    metadata,
    _id(),
    _col("installation_id", BigInteger, "Installation.", _ref("installations.id"), index=True),
    _col("log", Text, "Where it was found: a delivery log, or `sweep`."),
    _col("down_from", _TIME, "First delivery that never arrived."),
    _col("down_until", _TIME, "Last delivery that never arrived."),
    _col("missed", Integer, "Deliveries that never arrived."),
    _col("redelivered", Integer, "Of them, sent again on request.", server_default=_ZERO),
    _col("by_api", Integer, "Of them, taken from the log or the API.", server_default=_ZERO),
    _col("recovered", Integer, "Of them, stored by now.", server_default=_ZERO),
    _col("deliveries", ARRAY(Text), "Ids of those that are still missing."),
    _col("found_at", _TIME, "When it was found.", server_default=_NOW),
    _col("updated_at", _TIME, "When the row last changed.", server_default=_NOW),
    UniqueConstraint("installation_id", "log", "down_from"),
    comment="A time in which deliveries were lost, and what was recovered of them.",
)

id_sweeps = Table(
    "id_sweeps",
    metadata,
    _col(
        "integration_id",
        BigInteger,
        "Integration whose resource it is.",
        _ref("integrations.id"),
        primary_key=True,
    ),
    _col("entity_type", Text, "issue, comment, deployment, ...", primary_key=True),
    _col("cursor", JSONB, "Where the sweep under way stands.", nullable=True),
    _col("seen", JSONB, "What the sweep under way has seen so far.", nullable=True),
    _col("started_at", _TIME, "When the sweep under way began.", nullable=True),
    _col("finished_at", _TIME, "When the latest whole sweep ended.", nullable=True),
    _col("requests", BigInteger, "Requests of all sweeps.", server_default=_ZERO),
    _col("found", BigInteger, "Things found to be gone, of all sweeps.", server_default=_ZERO),
    _col("is_active", Boolean, "Whether it is swept.", server_default=text("true")),
    _col("hour_from", _TIME, "Since when the share of an hour is counted.", nullable=True),
    _col(
        "hour_spent",
        JSONB,
        "What the sweep cost in that hour, by the provider's rate limit.",
        server_default=_EMPTY_OBJECT,
    ),
    _col("error", Text, "Why it could not be swept, for an operator.", nullable=True),
    comment="How far a resource's things were looked for, to find those that are gone.",
)
