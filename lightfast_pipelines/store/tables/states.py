"""States of entities over time."""

from __future__ import annotations

from sqlalchemy import Boolean, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_OBJECT,
    KEY,
    TIME,
    column,
    metadata,
    reference,
    serial_id,
    workspace_id,
)

state_changes = Table(
    "state_changes",
    metadata,
    reference(
        "observation_id", "observation_facts.id", "Observation that states it.", primary_key=True
    ),
    column("entity_key", KEY, "Key of the entity as stated.", primary_key=True),
    column("state_type", Text, "status, assignee, latest_release, ...", primary_key=True),
    workspace_id(),
    column("state_value", Text, "The value from then on."),
    column("state_metadata", JSONB, "Details (reason, name).", server_default=EMPTY_OBJECT),
    column("at", TIME, "When it began, by the provider's clock."),
    column("rank", Integer, "Order among changes at one moment."),
    column("reason", Text, "Why it changed.", nullable=True),
    column("recorded_at", TIME, "When the earliest delivery that states it was received."),
    # One index per clock. The conditions keep the planner from using one for the other's queries.
    Index(
        "ix_state_changes_at",
        "workspace_id",
        "entity_key",
        "state_type",
        "at",
        postgresql_where=text("at > '-infinity'"),
    ),
    Index(
        "ix_state_changes_recorded",
        "workspace_id",
        "entity_key",
        "state_type",
        "recorded_at",
        postgresql_where=text("recorded_at > '-infinity'"),
    ),
    comment="A change of state as an observation states it; temporal_states is folded from these.",
)

temporal_states = Table(
    "temporal_states",
    metadata,
    serial_id(),
    workspace_id(),
    column("entity_type", Text, "Category of the entity."),
    column("entity_id", KEY, "Key of the entity."),
    column("entity_name", Text, "Its name.", nullable=True),
    column("state_type", Text, "status, latest_release, ..."),
    column("state_value", Text, "The value that held."),
    column("state_metadata", JSONB, "Details (reason, name).", server_default=EMPTY_OBJECT),
    column("valid_from", TIME, "When it began to hold."),
    column(
        "valid_to",
        TIME,
        "When it ended; null: it still holds, if it is still believed (superseded_at is null).",
        nullable=True,
    ),
    column("is_current", Boolean, "Whether it holds now, as known now."),
    column("recorded_at", TIME, "When it became known."),
    column(
        "superseded_at",
        TIME,
        "When it became known to be wrong; null: still believed.",
        nullable=True,
    ),
    reference(
        "changed_by_identity_id",
        "actor_identities.id",
        "Who changed it.",
        ondelete=None,
        nullable=True,
    ),
    column("change_reason", Text, "Why it changed.", nullable=True),
    reference(
        "related_observation_id",
        "observation_facts.id",
        "Observation that began it.",
        nullable=True,
    ),
    # One index per clock, for questions about a moment before and after the time of knowledge.
    Index("ix_temporal_states_entity", "workspace_id", "entity_id", "state_type", "valid_from"),
    Index("ix_temporal_states_recorded", "workspace_id", "entity_id", "state_type", "recorded_at"),
    Index(
        "uq_temporal_states_current",
        "workspace_id",
        "entity_id",
        "state_type",
        unique=True,
        postgresql_where=text("is_current"),
    ),
    Index("ix_temporal_states_observation", "related_observation_id"),
    # What served an environment when: by the deployment, and by time.
    Index(
        "ix_temporal_states_live",
        "workspace_id",
        # As keys are compared.
        text('state_value COLLATE "C"'),
        "valid_from",
        postgresql_where=text("state_type like 'live_deployment:%' and superseded_at is null"),
    ),
    Index(
        "ix_temporal_states_live_from",
        "valid_from",
        postgresql_where=text("state_type like 'live_deployment:%' and superseded_at is null"),
    ),
    Index(
        "ix_temporal_states_live_now",
        "workspace_id",
        postgresql_where=text("state_type like 'live_deployment:%' and is_current"),
    ),
    Index(
        "ix_temporal_states_level_from",
        "valid_from",
        postgresql_where=text("state_type = 'level' and superseded_at is null"),
    ),
    # What analysts ask about: what is open (or failed, ...) now, what was merged or closed in a week,
    # number 51, and what changed lately.
    Index(
        "ix_temporal_states_status",
        "entity_type",
        "state_value",
        "valid_from",
        "workspace_id",
        postgresql_where=text("is_current and state_type = 'status'"),
    ),
    Index(
        "ix_temporal_states_merged",
        text("(CASE WHEN state_value = 'merged' THEN valid_from END)"),
        postgresql_where=text(
            "is_current and state_type = 'status' and entity_type = 'pull_request'"
        ),
    ),
    Index(
        "ix_temporal_states_closed",
        text(
            "(CASE WHEN state_value IN ('merged', 'closed', 'completed', 'canceled') THEN valid_from END)"
        ),
        postgresql_where=text(
            "is_current and state_type = 'status' and entity_type in ('pull_request', 'issue')"
        ),
    ),
    Index(
        "ix_temporal_states_open",
        "workspace_id",
        "entity_id",
        postgresql_where=text(
            "is_current and state_type = 'status' and state_value in ('draft', 'open')"
        ),
    ),
    Index(
        "ix_temporal_states_number",
        text(r"(substring(entity_id FROM '#(\d{1,9})$')::integer)"),
        postgresql_where=text(
            "is_current and state_type = 'status' and entity_type = 'pull_request'"
        ),
    ),
    Index("ix_temporal_states_time", "valid_from", postgresql_where=text("superseded_at is null")),
    comment="A state that held for a while, and when that was known. What is no longer believed stays: "
    "read current_states, state_intervals or state_at() instead.",
)
