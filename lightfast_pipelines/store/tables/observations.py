"""Observations, the payloads that state them, and series counted by the hour."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_LIST,
    EMPTY_OBJECT,
    EMPTY_TEXTS,
    KEY,
    NOW,
    TEXTS,
    TIME,
    column,
    metadata,
    observation_id,
    references,
    serial_id,
    workspace_id,
)

observations = Table(
    "observations",
    metadata,
    serial_id(),
    column(
        "external_id",
        Text,
        "21 characters, the same in any database: organisation, workspace slug, source_id.",
        unique=True,
    ),
    workspace_id(),
    column("source_id", KEY, "Identity of the fact: entity key, transition, discriminator."),
    column("source", Text, "Provider."),
    column("source_type", Text, "`thing.transition` in kebab-case: pull-request.merged."),
    column(
        "observation_type",
        Text,
        "Its broad kind: change, issue, review, release, deployment, discussion, ...",
    ),
    column("subject_key", KEY, "Key of the entity it is about."),
    column("occurred_at", TIME, "When it happened, by the provider's clock."),
    column("captured_at", TIME, "When it was first captured.", server_default=NOW),
    column("recorded_at", TIME, "When the earliest payload that states it was received."),
    column("ingestion_source", Text, "Source of the payload believed first."),
    column(
        "actor_identity_id",
        BigInteger,
        "Who did it.",
        references("actor_identities.id", ondelete=None),
        nullable=True,
    ),
    column(
        "author_identity_id",
        BigInteger,
        "Whose work it is.",
        references("actor_identities.id", ondelete=None),
        nullable=True,
    ),
    column("title", Text, "One line, at most 200 characters."),
    column("content", Text, "The text, at most 10,000 characters.", server_default=text("''")),
    column("category", Text, "One of 14 categories."),
    column("topics", TEXTS, "Topics, most telling first.", server_default=EMPTY_TEXTS),
    column("significance_score", Integer, "0 to 100."),
    column("significance_factors", TEXTS, "What the score is made of.", server_default=EMPTY_TEXTS),
    column(
        "references",
        JSONB,
        "What the payload points at: [{type, id, url, label}].",
        server_default=EMPTY_LIST,
    ),
    column("metadata", JSONB, "Provider's own fields.", server_default=EMPTY_OBJECT),
    column("cluster_id", Text, "Cluster it belongs to.", nullable=True),
    column("embedding_title_id", Text, "Id of the title's vector.", nullable=True),
    column("embedding_content_id", Text, "Id of the content's vector.", nullable=True),
    column("embedding_summary_id", Text, "Id of the summary's vector.", nullable=True),
    column("rule_version", Integer, "Version of the provider's rules that made it."),
    column(
        "series_key",
        KEY,
        "Key of what recurs, where the observation counts occurrences of it.",
        nullable=True,
    ),
    column(
        "part_key",
        KEY,
        "Key of what of the subject it tells of and that can be deleted alone: a comment.",
        nullable=True,
    ),
    column(
        "written_at",
        TIME,
        "When its text was written, where that is known; names in it are read as of then.",
        nullable=True,
    ),
    column(
        "is_deleted",
        Boolean,
        "Whether its subject, or that part of it, is deleted now: then it is in no search.",
        server_default=text("false"),
    ),
    UniqueConstraint("workspace_id", "source_id"),
    Index("ix_observations_occurred", "workspace_id", "occurred_at"),
    Index("ix_observations_type", "workspace_id", "source", "source_type"),
    Index("ix_observations_subject", "workspace_id", "subject_key"),
    Index("ix_observations_cluster", "cluster_id"),
    Index("ix_observations_actor", "actor_identity_id"),
    Index("ix_observations_author", "author_identity_id"),
    Index(
        "ix_observations_unembedded",
        "id",
        postgresql_where=text("embedding_title_id is null and not is_deleted"),
    ),
    Index("ix_observations_unclustered", "id", postgresql_where=text("cluster_id is null")),
    # Of each tenant by itself, as they take turns.
    Index(
        "ix_observations_unembedded_by_workspace",
        "workspace_id",
        "id",
        postgresql_where=text("embedding_title_id is null and not is_deleted"),
    ),
    Index(
        "ix_observations_unclustered_by_workspace",
        "workspace_id",
        "id",
        postgresql_where=text("cluster_id is null"),
    ),
    Index(
        "ix_observations_part",
        "workspace_id",
        "part_key",
        postgresql_where=text("part_key is not null"),
    ),
    comment="One thing that happened.",
)

observation_sources = Table(
    "observation_sources",
    metadata,
    observation_id(),
    column(
        "raw_payload_id",
        BigInteger,
        "A payload that states it.",
        references("raw_payloads.id"),
        primary_key=True,
    ),
    Index("ix_observation_sources_raw", "raw_payload_id"),
    comment="Which payloads state an observation.",
)

occurrences = Table(
    "occurrences",
    metadata,
    column("event_id", KEY, "Provider's id of the event; empty for a restart.", primary_key=True),
    workspace_id(primary_key=True),
    column("series_key", KEY, "Key of what recurs: an issue of Sentry's.", primary_key=True),
    column(
        "raw_payload_id",
        BigInteger,
        "A payload that states it.",
        references("raw_payloads.id"),
        primary_key=True,
    ),
    column("at", TIME, "When it happened, as all payloads that state it say together."),
    column("hour_id", KEY, "source_id of the observation that counts its hour."),
    column("alone_id", KEY, "source_id of the observation that it is where it stands alone."),
    column(
        "is_alone", Boolean, "Whether it stands alone: the first of all and after each restart."
    ),
    column("is_restart", Boolean, "A regression: from then on the next event stands alone again."),
    column("received_at", TIME, "When the payload was received."),
    Index("ix_occurrences_raw", "raw_payload_id"),
    Index(
        "ix_occurrences_events",
        "workspace_id",
        "series_key",
        "at",
        "event_id",
        postgresql_where=text("not is_restart"),
    ),
    Index(
        "ix_occurrences_restarts",
        "workspace_id",
        "series_key",
        "at",
        postgresql_where=text("is_restart"),
    ),
    Index(
        "ix_occurrences_alone",
        "workspace_id",
        "series_key",
        "at",
        postgresql_where=text("is_alone"),
    ),
    Index(
        "ix_occurrences_hour",
        "workspace_id",
        "hour_id",
        "at",
        "event_id",
        postgresql_where=text("not (is_alone or is_restart) and at > '-infinity'"),
    ),
    Index(
        "ix_occurrences_received",
        "workspace_id",
        "hour_id",
        "received_at",
        postgresql_where=text("not (is_alone or is_restart) and received_at > '-infinity'"),
    ),
    comment="Events of a series (errors of an issue), which are counted by hour; a row a payload.",
)

occurrence_counts = Table(
    "occurrence_counts",
    metadata,
    workspace_id(primary_key=True),
    column("hour_id", KEY, "source_id of the observation that counts the hour.", primary_key=True),
    column("events", Integer, "How many events it counts."),
    comment="How many events an hour of a series counts, those that stand alone left out.",
)
