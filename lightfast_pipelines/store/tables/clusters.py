"""Clusters, their members, and what happened to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, Table, Text, text
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
    serial_id,
    workspace_id,
)

clusters = Table(
    "clusters",
    metadata,
    column(
        "id",
        Text,
        "Hash of the workspace and of what the earliest member is about.",
        primary_key=True,
    ),
    workspace_id(),
    column("topic_label", Text, "What it is about, taken from its content."),
    column(
        "keywords", TEXTS, "Its most characteristic words, best first.", server_default=EMPTY_TEXTS
    ),
    column(
        "primary_entities",
        TEXTS,
        "Keys of the entities that most members are about.",
        server_default=EMPTY_TEXTS,
    ),
    column(
        "primary_actors",
        TEXTS,
        "`source:source_id` of the identities that did most of it.",
        server_default=EMPTY_TEXTS,
    ),
    column("status", Text, "open while work on it goes on, else closed."),
    column(
        "status_reason",
        Text,
        "Why it is closed. done: all its pull requests, issues and discussions are, and no commit came "
        "after that. idle: its last event is 30 days older than the workspace's latest one.",
        nullable=True,
    ),
    column("observation_count", Integer, "Number of members."),
    column("first_observation_at", TIME, "Time of the earliest member."),
    column("last_observation_at", TIME, "Time of the latest member."),
    column(
        "is_provisional", Boolean, "True until consolidation decides.", server_default=text("false")
    ),
    column("rule_version", Integer, "Version of the rule that made it."),
    column(
        "summary",
        Text,
        "One to four sentences on what it is about; null below five members.",
        nullable=True,
    ),
    column(
        "summary_citations",
        JSONB,
        "[{sentence, observations: [external ids], text_hash}]; the first entry lists all members at that "
        "time. See the view summary_sentences.",
        server_default=EMPTY_LIST,
    ),
    column("summary_generated_at", TIME, "When the summary was written.", nullable=True),
    column(
        "question_hash",
        Text,
        "SHA-256 of the texts that a language model could summarize and has not; null if none are.",
        nullable=True,
    ),
    Index("ix_clusters_workspace_last", "workspace_id", "last_observation_at"),
    Index("ix_clusters_workspace_status", "workspace_id", "status"),
    Index(
        "ix_clusters_question",
        "workspace_id",
        "last_observation_at",
        postgresql_where=text("question_hash is not null"),
    ),
    comment="Threads and single observations that are one piece of work.",
)

cluster_members = Table(
    "cluster_members",
    metadata,
    observation_id(),
    workspace_id(),
    column("cluster_id", Text, "Its cluster."),
    column(
        "thread_key",
        Text,
        "Its thread: the smallest entity key among those that strong explicit edges connect.",
    ),
    column("rule_version", Integer, "Version of the rules that decided."),
    column("is_provisional", Boolean, "True until consolidation decides."),
    column("subject_key", KEY, "Copy of the observation's."),
    column("author_identity_id", BigInteger, "Copy of the observation's.", nullable=True),
    column("occurred_at", TIME, "Copy of the observation's."),
    Index("ix_cluster_members_cluster", "cluster_id"),
    Index("ix_cluster_members_rule_version", "rule_version"),
    # A new observation looks for the clusters of its thing and of its author's work (clustering/nearby.py).
    Index("ix_cluster_members_subject", "workspace_id", "subject_key", "cluster_id"),
    # With what that look-up asks for: it then reads no row, half of the pages that it read otherwise.
    Index(
        "ix_cluster_members_author",
        "workspace_id",
        "author_identity_id",
        "occurred_at",
        postgresql_include=["observation_id", "cluster_id"],
    ),
    comment="The cluster that an observation belongs to.",
)

cluster_aliases = Table(
    "cluster_aliases",
    metadata,
    column("alias_id", Text, "A former id of the cluster.", primary_key=True),
    workspace_id(),
    column(
        "cluster_id", Text, "The cluster that has most of its members now; never an alias itself."
    ),
    column("changed_at", TIME, "When the id changed.", server_default=NOW),
    Index("ix_cluster_aliases_cluster", "workspace_id", "cluster_id"),
    comment="A former id of a cluster, from before consolidation changed it. Outlives a rebuild.",
)

cluster_log = Table(
    "cluster_log",
    metadata,
    serial_id(),
    workspace_id(),
    column("cluster_id", Text, "The cluster."),
    column(
        "event",
        Text,
        "created, grown, shrunk, split, merged, renamed, removed, closed or reopened. An id ends with "
        "merged, renamed or removed, or with a split after which it has no observations.",
    ),
    column(
        "detail",
        JSONB,
        "observations: members after it; before: members before it; from: former clusters of a new "
        "one's members; into: the cluster that has them now, of a split the number that each has; "
        "clusters: how many these are; reason: why it is closed.",
        server_default=EMPTY_OBJECT,
    ),
    column("at", TIME, "When consolidation decided it.", server_default=NOW),
    Index("ix_cluster_log_cluster", "workspace_id", "cluster_id", "id"),
    comment="Something that happened to a cluster after consolidation had decided it. Outlives a rebuild.",
)
