"""Observations, the deliveries that state them, and series that are counted by the hour.

A row of `observation_facts` is what capture says, and no later stage writes it. The view `observations`
adds what the stages found out: its cluster and its vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text
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
    queued_observation,
    reference,
    serial_id,
    view_metadata,
    workspace_id,
)

observation_facts = Table(
    "observation_facts",
    metadata,
    serial_id(),
    column(
        "external_id",
        Text,
        "21 characters made of organisation, workspace slug and source_id: the same in any database.",
        unique=True,
    ),
    workspace_id(),
    column("source_id", KEY, "Identity of the observation: entity key, transition, discriminator."),
    column("source", Text, "Provider."),
    column("source_type", Text, "`thing.transition` in kebab-case: pull-request.merged."),
    column(
        "observation_type",
        Text,
        "Broad kind: change, issue, review, release, deployment, discussion, ...",
    ),
    column("subject_key", KEY, "Key of the entity it is about."),
    column("occurred_at", TIME, "When it happened, by the provider's clock."),
    column("captured_at", TIME, "When it was first captured.", server_default=NOW),
    column("recorded_at", TIME, "When the earliest delivery that states it was received."),
    column(
        "ingestion_source", Text, "Ingestion source of the statement with the highest authority."
    ),
    reference(
        "actor_identity_id", "actor_identities.id", "Who did it.", ondelete=None, nullable=True
    ),
    reference(
        "author_identity_id",
        "actor_identities.id",
        "Whose work it is.",
        ondelete=None,
        nullable=True,
    ),
    column("title", Text, "One line, at most 200 characters."),
    column("content", Text, "The text, at most 10,000 characters.", server_default=text("''")),
    column("category", Text, "One of 14 categories."),
    column("topics", TEXTS, "Topics, most telling first.", server_default=EMPTY_TEXTS),
    column("significance_score", Integer, "0 to 100."),
    column("significance_factors", TEXTS, "What makes up the score.", server_default=EMPTY_TEXTS),
    column(
        "references",
        JSONB,
        "What the payload refers to: [{type, id, url, label}].",
        server_default=EMPTY_LIST,
    ),
    column("metadata", JSONB, "Fields of the provider.", server_default=EMPTY_OBJECT),
    column("rule_version", Integer, "Version of the provider's rules that made it."),
    column(
        "series_key",
        KEY,
        "Key of the series whose occurrences it counts, if it counts any.",
        nullable=True,
    ),
    column(
        "part_key",
        KEY,
        "Key of the part of the subject that it is about and that can be deleted alone: a comment.",
        nullable=True,
    ),
    column(
        "written_at",
        TIME,
        "When its text was written, if known (by an event of a pull request or an issue: when that was opened); "
        "names in the text are resolved as of then.",
        nullable=True,
    ),
    column(
        "is_deleted",
        Boolean,
        "Whether its subject, or that part of it, is deleted now; search then leaves it out.",
        server_default=text("false"),
    ),
    column(
        "question_hash",
        KEY,
        "SHA-256 of the question about it that no language model has answered yet; null if none is open.",
        nullable=True,
    ),
    UniqueConstraint("workspace_id", "source_id"),
    Index("ix_observation_facts_occurred", "workspace_id", "occurred_at"),
    Index("ix_observation_facts_type", "workspace_id", "source", "source_type"),
    Index("ix_observation_facts_subject", "workspace_id", "subject_key"),
    # The latest of all workspaces: a workspace that is named by its slug is no constant to the planner.
    Index("ix_observation_facts_time", "occurred_at", postgresql_where=text("not is_deleted")),
    Index("ix_observation_facts_actor", "actor_identity_id", "workspace_id", "occurred_at"),
    Index("ix_observation_facts_author", "author_identity_id", "workspace_id", "occurred_at"),
    Index(
        "ix_observation_facts_part",
        "workspace_id",
        "part_key",
        postgresql_where=text("part_key is not null"),
    ),
    # What analysts ask about by time: when pull requests and issues were opened, reviews, commits of a
    # repository.
    Index(
        "ix_observation_facts_written",
        "written_at",
        postgresql_where=text("written_at is not null"),
    ),
    Index(
        "ix_observation_facts_reviews",
        "occurred_at",
        postgresql_where=text("source_type = 'review.submitted'"),
    ),
    Index(
        "ix_observation_facts_commits",
        text("(metadata->>'repoId')"),
        "occurred_at",
        postgresql_where=text("source_type = 'commit.pushed'"),
    ),
    # The most significant are asked about first, as the budget may not suffice for all.
    Index(
        "ix_observation_facts_question",
        "workspace_id",
        "significance_score",
        "id",
        postgresql_where=text("question_hash is not null and not is_deleted"),
    ),
    Index(
        "ix_observation_facts_error_days",
        "workspace_id",
        text("((occurred_at AT TIME ZONE 'UTC')::date)"),
        postgresql_where=text("source_type in ('error.created', 'error.occurred')"),
    ),
    Index(
        "ix_observation_facts_alerts",
        "workspace_id",
        "subject_key",
        text("(metadata->>'issueId')"),
        "occurred_at",
        postgresql_where=text("source_type = 'event-alert.triggered'"),
    ),
    comment="What is known about something that happened, as capture says it; the view observations has more.",
)

# In the view they follow `metadata`.
_FOUND_OUT = (
    column(
        "cluster_id", Text, "Cluster it belongs to; null while it waits for one.", nullable=True
    ),
    column(
        "embedding_title_id",
        Text,
        "Id of the title's vector; null while it waits for one, or if it is deleted.",
        nullable=True,
    ),
    column("embedding_content_id", Text, "Id of the content's vector, likewise.", nullable=True),
    column("embedding_summary_id", Text, "Id of the summary's vector, likewise.", nullable=True),
)


def _columns_of_view() -> Iterator[Column[Any]]:
    for each in observation_facts.columns:
        yield column(
            each.name,
            each.type,
            each.comment or "",
            nullable=each.nullable,
            primary_key=each.primary_key,
            unique=each.unique,
        )
        if each.name == "metadata":
            yield from _FOUND_OUT


observations = Table(
    "observations",
    view_metadata,
    *_columns_of_view(),
    comment="Something that happened, with its cluster and its vectors.",
)

embedding_queue = Table(
    "embedding_queue",
    metadata,
    *queued_observation(),
    Index("ix_embedding_queue_workspace", "workspace_id", "observation_id"),
    comment="An observation that waits for its vectors by the local model. Empty when everything is done.",
)

cluster_queue = Table(
    "cluster_queue",
    metadata,
    *queued_observation(),
    Index("ix_cluster_queue_workspace", "workspace_id", "observation_id"),
    comment="An observation that waits for its cluster. Empty when everything is done.",
)

observation_sources = Table(
    "observation_sources",
    metadata,
    observation_id(),
    reference("raw_payload_id", "raw_payloads.id", "A delivery that states it.", primary_key=True),
    Index("ix_observation_sources_raw", "raw_payload_id"),
    comment="A delivery states an observation.",
)

occurrences = Table(
    "occurrences",
    metadata,
    column(
        "event_id",
        KEY,
        "Provider's id of the event; empty for a restart of the series.",
        primary_key=True,
    ),
    workspace_id(primary_key=True),
    column("series_key", KEY, "Key of the series: a Sentry issue.", primary_key=True),
    reference("raw_payload_id", "raw_payloads.id", "A delivery that states it.", primary_key=True),
    column("at", TIME, "When it happened, agreed from all deliveries that state it."),
    column("hour_id", KEY, "source_id of the observation that counts its hour."),
    column("alone_id", KEY, "source_id of its own observation, if it has one."),
    column(
        "is_alone",
        Boolean,
        "Whether it has its own observation: the first event, and the first after each restart.",
    ),
    column(
        "is_restart",
        Boolean,
        "Whether it is a regression: the next event then has its own observation again.",
    ),
    column("received_at", TIME, "When the delivery was received."),
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
    comment="An event of a series (an error of an issue) as a delivery states it; events are counted by hour.",
)

occurrence_counts = Table(
    "occurrence_counts",
    metadata,
    workspace_id(primary_key=True),
    column("hour_id", KEY, "source_id of the observation that counts the hour.", primary_key=True),
    column("events", Integer, "Number of events counted."),
    comment="Number of events in an hour of a series, without those that have their own observation.",
)
