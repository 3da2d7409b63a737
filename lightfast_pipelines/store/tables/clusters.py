"""Clusters and the vectors they are found by."""

from __future__ import annotations

from pgvector.sqlalchemy import Vector
from sqlalchemy import BigInteger, Boolean, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_LIST,
    EMPTY_OBJECT,
    EMPTY_TEXTS,
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

observation_vectors = Table(
    "observation_vectors",
    metadata,
    observation_id(),
    column("view", Text, "title, content or summary.", primary_key=True),
    column("model", Text, "Model that made it.", primary_key=True),
    column(
        "workspace_id",
        BigInteger,
        "Workspace, so that a search stays within it.",
        references("workspaces.id"),
        index=True,
    ),
    column("vector", Vector(256), "Unit vector."),
    Index("ix_observation_vectors_titles", "model", postgresql_where=text("view = 'title'")),
    comment="A view's vector.",
)

clusters = Table(
    "clusters",
    metadata,
    column("id", Text, "Hash of the workspace and its smallest member.", primary_key=True),
    workspace_id(),
    column("topic_label", Text, "What it is about, from its content."),
    column("keywords", TEXTS, "Its most telling words, best first.", server_default=EMPTY_TEXTS),
    column(
        "primary_entities",
        TEXTS,
        "Keys of the entities most of it is about.",
        server_default=EMPTY_TEXTS,
    ),
    column(
        "primary_actors",
        TEXTS,
        "`source:source_id` of those who did most of it.",
        server_default=EMPTY_TEXTS,
    ),
    column("status", Text, "open or idle, counted from the workspace's latest event."),
    column("observation_count", Integer, "Members."),
    column("first_observation_at", TIME, "Earliest member."),
    column("last_observation_at", TIME, "Latest member."),
    column(
        "is_provisional",
        Boolean,
        "True until consolidation has decided.",
        server_default=text("false"),
    ),
    column("rule_version", Integer, "Version of the rule that made it."),
    column(
        "summary",
        Text,
        "One to four sentences of what it is about; null for fewer than five members.",
        nullable=True,
    ),
    column(
        "summary_citations",
        JSONB,
        "[{sentence, observations: [external ids]}], the first of all members there were.",
        server_default=EMPTY_LIST,
    ),
    column("summary_generated_at", TIME, "When the summary was written.", nullable=True),
    Index("ix_clusters_workspace_last", "workspace_id", "last_observation_at"),
    Index("ix_clusters_workspace_status", "workspace_id", "status"),
    comment="A topic or stretch of work: observations that belong together.",
)

cluster_members = Table(
    "cluster_members",
    metadata,
    observation_id(),
    workspace_id(index=True),
    column("cluster_id", Text, "Its cluster."),
    column(
        "thread_key",
        Text,
        "Its thread: the smallest entity key of a group joined by strong explicit edges.",
    ),
    column("rule_version", Integer, "Version of the rule that decided."),
    column("is_provisional", Boolean, "True until consolidation has decided."),
    Index("ix_cluster_members_cluster", "cluster_id"),
    Index("ix_cluster_members_rule_version", "rule_version"),
    comment="Which cluster an observation belongs to.",
)

cluster_aliases = Table(
    "cluster_aliases",
    metadata,
    column("alias_id", Text, "An id that the cluster had.", primary_key=True),
    workspace_id(),
    column("cluster_id", Text, "The cluster that most of its members are in now."),
    column("changed_at", TIME, "When the id changed.", server_default=NOW),
    comment="Ids that clusters had before consolidation changed them.",
)

cluster_log = Table(
    "cluster_log",
    metadata,
    serial_id(),
    workspace_id(index=True),
    column("cluster_id", Text, "The cluster."),
    column("event", Text, "created, grown, shrunk, merged, split or removed."),
    column("detail", JSONB, "Numbers of the change.", server_default=EMPTY_OBJECT),
    column("at", TIME, "When consolidation decided it.", server_default=NOW),
    comment="What happened to clusters.",
)
