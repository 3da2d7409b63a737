"""The tables of schema `lightfast`, as SQLAlchemy Core; the data dictionary is made from their comments.

Only shapes and comments. Migrations create them, queries live beside their users.
"""

from __future__ import annotations

from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="lightfast")

VECTOR_DIMENSIONS = 256


def _col(
    name: str,
    kind: TypeEngine[Any] | type[TypeEngine[Any]],
    comment: str,
    *args: object,
    **options: object,
) -> Column[Any]:
    options.setdefault("nullable", False)
    return Column(name, kind, *args, comment=comment, **options)  # type: ignore[arg-type]


def _id(comment: str = "Serial number; use the natural key to compare databases.") -> Column[Any]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True, comment=comment)


def _ref(target: str) -> ForeignKey:
    return ForeignKey(f"lightfast.{target}", ondelete="CASCADE")


_TIME = DateTime(timezone=True)
# Keys and ids sort by code point everywhere, in Python as in any database.
_KEY = Text(collation="C")
_NOW = text("now()")
_TEXTS = ARRAY(Text)
_EMPTY_TEXTS = text("'{}'::text[]")
_EMPTY_OBJECT = text("'{}'::jsonb")
_EMPTY_LIST = text("'[]'::jsonb")

workspaces = Table(
    "workspaces",
    metadata,
    _id(),
    _col("org_id", Text, "Organisation that the workspace belongs to."),
    _col("slug", Text, "Short name, unique within the organisation."),
    _col("name", Text, "Display name."),
    _col(
        "settings",
        JSONB,
        "significance_threshold (30), notify_threshold (70), ...",
        server_default=_EMPTY_OBJECT,
    ),
    _col("created_at", _TIME, "When it was added.", server_default=_NOW),
    UniqueConstraint("org_id", "slug"),
    comment="A tenant of an organisation.",
)

installations = Table(
    "installations",
    metadata,
    _id(),
    _col("provider", Text, "github, vercel, linear, sentry, ..."),
    _col(
        "external_id",
        Text,
        "The provider's id of the installation, or `manual:{org}` for links made by hand.",
    ),
    _col("org_id", Text, "Organisation that connected it."),
    _col("account_login", Text, "The provider's account name, for display.", nullable=True),
    _col("status", Text, "active, pending, error or revoked.", server_default=text("'active'")),
    _col("status_reason", Text, "Why the status is what it is, for an operator.", nullable=True),
    _col(
        "provider_account_info",
        JSONB,
        "What the provider said of the account.",
        server_default=_EMPTY_OBJECT,
    ),
    _col("connected_by", Text, "Who connected it.", nullable=True),
    _col("created_at", _TIME, "When it was first connected.", server_default=_NOW),
    _col("updated_at", _TIME, "When the row last changed.", server_default=_NOW),
    _col(
        "own_secret_after",
        BigInteger,
        "Latest raw_payloads.id when it first got a webhook secret of its own; null: it never had one.",
        nullable=True,
    ),
    UniqueConstraint("provider", "external_id"),
    comment="A connection of an organisation to a provider. An input, never derived.",
)

installation_secrets = Table(
    "installation_secrets",
    metadata,
    _id(),
    _col(
        "installation_id",
        BigInteger,
        "Installation whose deliveries it verifies; the sealed text is bound to it.",
        _ref("installations.id"),
        index=True,
    ),
    _col("sealed", Text, "AES-256-GCM: base64 of IV (12 bytes), tag (16) and ciphertext."),
    _col("key_id", Text, "Which key of ENCRYPTION_KEY opens it: 16 digits of a hash of the key."),
    _col("created_at", _TIME, "When it was set.", server_default=_NOW),
    comment="A live webhook secret of an installation: up to two, while rotating. An input, never derived.",
)

resources = Table(
    "resources",
    metadata,
    _id(),
    _col(
        "installation_id",
        BigInteger,
        "Installation that gives access to it.",
        _ref("installations.id"),
        index=True,
    ),
    _col("provider", Text, "Provider of the resource."),
    _col("org_id", Text, "Organisation that owns the link: the first that linked it."),
    _col("provider_resource_id", Text, "The provider's stable id: a repository, project or team."),
    _col("resource_name", Text, "Display name (`owner/repo`); follows renames.", nullable=True),
    _col(
        "resource_meta",
        JSONB,
        "What the provider said of it (default_branch, archived, ...).",
        server_default=_EMPTY_OBJECT,
    ),
    _col("status", Text, "active or removed.", server_default=text("'active'")),
    _col("status_reason", Text, "Why the status is what it is, for an operator.", nullable=True),
    _col("created_at", _TIME, "When it was first linked.", server_default=_NOW),
    _col("updated_at", _TIME, "When the row last changed.", server_default=_NOW),
    UniqueConstraint("provider", "provider_resource_id"),
    comment="A repository, project or team of an installation. An input, never derived.",
)

integrations = Table(
    "integrations",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace that wants the resource.", _ref("workspaces.id")),
    _col("resource_id", BigInteger, "The resource.", _ref("resources.id"), index=True),
    _col(
        "sync_config",
        JSONB,
        "What is wanted: events, branches, paths, autoSync.",
        server_default=_EMPTY_OBJECT,
    ),
    _col(
        "backfill_state",
        JSONB,
        "Progress of reading the provider's history.",
        server_default=_EMPTY_OBJECT,
    ),
    _col(
        "is_active", Boolean, "False while an operator has paused it.", server_default=text("true")
    ),
    _col("status_reason", Text, "Why it is paused, for an operator.", nullable=True),
    _col("connected_by", Text, "Who linked it.", nullable=True),
    _col("connected_at", _TIME, "When it was linked.", server_default=_NOW),
    _col("last_synced_at", _TIME, "When its history was last read.", nullable=True),
    _col(
        "sync_status",
        Text,
        "Of reading its history: idle, running, completed, failed, cancelled or refused.",
        server_default=text("'idle'"),
    ),
    _col("sync_error", Text, "Why reading failed or is refused, for an operator.", nullable=True),
    UniqueConstraint("workspace_id", "resource_id"),
    comment="A resource linked to a workspace. An input, never derived.",
)

lifecycle_events = Table(
    "lifecycle_events",
    metadata,
    _col(
        "raw_payload_id",
        BigInteger,
        "Payload that states it.",
        _ref("raw_payloads.id"),
        primary_key=True,
    ),
    _col("provider", Text, "Provider of the subject."),
    _col("subject_kind", Text, "installation or resource.", primary_key=True),
    _col("subject_id", Text, "The provider's id of the subject.", primary_key=True),
    _col(
        "change",
        Text,
        "active, suspended, removed, renamed, transferred, archived, unarchived.",
        primary_key=True,
    ),
    _col("value", JSONB, "What it became.", server_default=_EMPTY_OBJECT),
    _col("reason", Text, "The provider's words, for an operator."),
    _col(
        "occurred_at",
        _TIME,
        "Provider's time of the change; the latest wins, not the last to arrive.",
    ),
    _col(
        "installation",
        Text,
        "Installation that the payload names as its own.",
        nullable=True,
    ),
    Index("ix_lifecycle_events_subject", "provider", "subject_kind", "subject_id"),
    comment="A change of a connection or resource, as a payload stated it.",
)

raw_payloads = Table(
    "raw_payloads",
    metadata,
    _id("Serial number of arrival."),
    _col(
        "org_id",
        Text,
        "Organisation it was ingested for by hand; null for webhooks.",
        nullable=True,
    ),
    _col("provider", Text, "Provider that sent it."),
    _col("delivery_id", Text, "The provider's id of the delivery, stable over its retries."),
    _col("body_sha256", LargeBinary, "SHA-256 of the body's bytes."),
    _col("event_type", Text, "The event's name as the provider gives it."),
    _col("ingestion_source", Text, "webhook, backfill, manual or api."),
    _col(
        "received_at",
        _TIME,
        "When it was received (for a file: what the file says, else when it was read).",
    ),
    _col("partition_date", Date, "Daily partition it belongs to; fixed when written."),
    _col(
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
    _col("raw_payload_id", BigInteger, "The delivery.", primary_key=True),
    _col("received_at", _TIME, "Partition key: months of receipt.", primary_key=True),
    _col("body", LargeBinary, "The bytes exactly as they came."),
    _col(
        "headers", JSONB, "Headers worth keeping, lower-case names.", server_default=_EMPTY_OBJECT
    ),
    comment="The bytes of a delivery. Partitioned by month of receipt; retention drops partitions.",
    postgresql_partition_by="RANGE (received_at)",
)

raw_queue = Table(
    "raw_queue",
    metadata,
    _col(
        "raw_payload_id",
        BigInteger,
        "The delivery that waits.",
        _ref("raw_payloads.id"),
        primary_key=True,
    ),
    _col("partition_date", Date, "Its daily partition."),
    _col("enqueued_at", _TIME, "When it began to wait.", server_default=_NOW),
    _col("attempts", Integer, "Failed attempts so far.", server_default=text("0")),
    _col(
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
    _col("lane", BigInteger, "As in raw_queue.", primary_key=True, autoincrement=False),
    _col(
        "kind",
        Text,
        "small: for small deliveries, large: for one large one, again: for some attempted before.",
        primary_key=True,
    ),
    _col("turn", BigInteger, "Number of the batch; later ones are greater."),
    comment="When each lane of the queue had its latest turn, so that tenants take turns.",
)

outcomes = Table(
    "outcomes",
    metadata,
    _id(),
    _col("raw_payload_id", BigInteger, "The delivery.", _ref("raw_payloads.id")),
    _col(
        "workspace_id",
        BigInteger,
        "Workspace; null while none is known.",
        _ref("workspaces.id"),
        nullable=True,
    ),
    _col("resource_key", Text, "Resource it was routed by (`github:repository:1`).", nullable=True),
    _col("status", Text, "delivered, filtered, parked or dlq."),
    _col(
        "reason", Text, "Why it is filtered, parked or dead; null where delivered.", nullable=True
    ),
    _col("attempts", Integer, "Failed attempts so far.", server_default=text("0")),
    _col("rule_version", Integer, "Version of the provider's rules that decided."),
    _col("processed_at", _TIME, "When it was decided.", server_default=_NOW),
    _col(
        "routes",
        _TEXTS,
        "Every key it can be routed by, where there are several; null: resource_key alone.",
        nullable=True,
    ),
    _col(
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

actors = Table(
    "actors",
    metadata,
    _col(
        "id",
        Text,
        "Hash of the smallest identity key of the organisation's person.",
        primary_key=True,
    ),
    _col("org_id", Text, "Organisation.", index=True),
    _col("display_name", Text, "Best known name."),
    _col("kind", Text, "person, bot, organization or unknown."),
    _col("identity_count", Integer, "Identities joined in it.", server_default=text("1")),
    comment="A person or bot of an organisation; who an identity is.",
)

actor_identities = Table(
    "actor_identities",
    metadata,
    _id(),
    _col("org_id", Text, "Organisation."),
    _col("source", Text, "Provider of the account, or `git` for a commit's name and address."),
    _col("source_id", _KEY, "The provider's id of the account, or `Name <address>`."),
    _col("source_username", Text, "Login.", nullable=True),
    _col("source_email", Text, "E-mail address, lower case.", nullable=True),
    _col("source_name", Text, "Display name.", nullable=True),
    _col("avatar_url", Text, "Picture.", nullable=True),
    _col("kind", Text, "person, bot, organization or unknown.", server_default=text("'unknown'")),
    _col(
        "email_verified",
        Boolean,
        "Whether the provider vouches for the address.",
        server_default=text("false"),
    ),
    _col("actor_id", Text, "Who it is (actors.id); null until decided.", nullable=True),
    _col("mapping_method", Text, "Evidence that joined it to its actor.", nullable=True),
    _col("confidence", REAL, "Confidence of that evidence, 0 to 1.", nullable=True),
    _col("mapped_at", _TIME, "When it was decided.", nullable=True),
    _col(
        "stated",
        JSONB,
        "Per field when and by which observation it was stated last.",
        server_default=_EMPTY_OBJECT,
    ),
    UniqueConstraint("org_id", "source", "source_id"),
    Index("ix_actor_identities_actor", "actor_id"),
    Index("ix_actor_identities_email", "org_id", "source_email"),
    comment="An account at a provider, or a name and address that commits carry.",
)

actor_profiles = Table(
    "actor_profiles",
    metadata,
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col(
        "actor_id",
        Text,
        "Who it is about; bots have profiles too (actors.kind).",
        _ref("actors.id"),
        primary_key=True,
    ),
    _col(
        "expertise_domains",
        JSONB,
        "Domain (`directory:src/cart`, `category:bug_fix`, an entity's key) -> 0 to 1; "
        "halves every 90 days.",
        server_default=_EMPTY_OBJECT,
    ),
    _col(
        "contribution_types",
        JSONB,
        "Kind of contribution (code, review, discussion, ...) -> share of all.",
        server_default=_EMPTY_OBJECT,
    ),
    _col(
        "active_hours",
        ARRAY(Integer),
        "Hours of the day (UTC) with more activity than the mean; empty below ten deeds.",
        server_default=text("'{}'::integer[]"),
    ),
    _col(
        "frequent_collaborators",
        JSONB,
        "[{actor_id, display_name, interactions, kinds: {reviewed, co_authored, discussed}}], "
        "most first.",
        server_default=_EMPTY_LIST,
    ),
    _col("observation_count", Integer, "Observations that the person took part in."),
    _col("last_active_at", _TIME, "Latest of what the person did."),
    _col("profile_confidence", REAL, "0 to 0.95, by the number of observations."),
    _col("evidence_hash", Text, "Hash of the evidence it was made from: another one makes it due."),
    _col("rule_version", Integer, "Version of the rule that made it."),
    _col("created_at", _TIME, "When it was first made.", server_default=_NOW),
    _col("updated_at", _TIME, "When it last changed.", server_default=_NOW),
    Index("ix_actor_profiles_actor", "actor_id"),
    Index("ix_actor_profiles_active", "workspace_id", "last_active_at"),
    comment="What a person or bot works on in a workspace, with whom and when.",
)

clusters = Table(
    "clusters",
    metadata,
    _col("id", Text, "Hash of the workspace and its smallest member.", primary_key=True),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("topic_label", Text, "What it is about, from its content."),
    _col("keywords", _TEXTS, "Its most telling words, best first.", server_default=_EMPTY_TEXTS),
    _col(
        "primary_entities",
        _TEXTS,
        "Keys of the entities most of it is about.",
        server_default=_EMPTY_TEXTS,
    ),
    _col(
        "primary_actors",
        _TEXTS,
        "`source:source_id` of those who did most of it.",
        server_default=_EMPTY_TEXTS,
    ),
    _col("status", Text, "open or idle, counted from the workspace's latest event."),
    _col("observation_count", Integer, "Members."),
    _col("first_observation_at", _TIME, "Earliest member."),
    _col("last_observation_at", _TIME, "Latest member."),
    _col(
        "is_provisional",
        Boolean,
        "True until consolidation has decided.",
        server_default=text("false"),
    ),
    _col("rule_version", Integer, "Version of the rule that made it."),
    _col(
        "summary",
        Text,
        "One to four sentences of what it is about; null for fewer than five members.",
        nullable=True,
    ),
    _col(
        "summary_citations",
        JSONB,
        "[{sentence, observations: [external ids]}], the first of all members there were.",
        server_default=_EMPTY_LIST,
    ),
    _col("summary_generated_at", _TIME, "When the summary was written.", nullable=True),
    Index("ix_clusters_workspace_last", "workspace_id", "last_observation_at"),
    Index("ix_clusters_workspace_status", "workspace_id", "status"),
    comment="A topic or stretch of work: observations that belong together.",
)

cluster_aliases = Table(
    "cluster_aliases",
    metadata,
    _col("alias_id", Text, "An id that the cluster had.", primary_key=True),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("cluster_id", Text, "The cluster that most of its members are in now."),
    _col("changed_at", _TIME, "When the id changed.", server_default=_NOW),
    comment="Ids that clusters had before consolidation changed them.",
)

cluster_log = Table(
    "cluster_log",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), index=True),
    _col("cluster_id", Text, "The cluster."),
    _col("event", Text, "created, grown, shrunk, merged, split or removed."),
    _col("detail", JSONB, "Numbers of the change.", server_default=_EMPTY_OBJECT),
    _col("at", _TIME, "When consolidation decided it.", server_default=_NOW),
    comment="What happened to clusters.",
)

observations = Table(
    "observations",
    metadata,
    _id(),
    _col(
        "external_id",
        Text,
        "21 characters, the same in any database: organisation, workspace slug, source_id.",
        unique=True,
    ),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("source_id", _KEY, "Identity of the fact: entity key, transition, discriminator."),
    _col("source", Text, "Provider."),
    _col("source_type", Text, "`thing.transition` in kebab-case: pull-request.merged."),
    _col(
        "observation_type",
        Text,
        "Its broad kind: change, issue, review, release, deployment, discussion, ...",
    ),
    _col("subject_key", _KEY, "Key of the entity it is about."),
    _col("occurred_at", _TIME, "When it happened, by the provider's clock."),
    _col("captured_at", _TIME, "When it was first captured.", server_default=_NOW),
    _col("recorded_at", _TIME, "When the earliest payload that states it was received."),
    _col("ingestion_source", Text, "Source of the payload believed first."),
    _col(
        "actor_identity_id",
        BigInteger,
        "Who did it.",
        ForeignKey("lightfast.actor_identities.id"),
        nullable=True,
    ),
    _col(
        "author_identity_id",
        BigInteger,
        "Whose work it is.",
        ForeignKey("lightfast.actor_identities.id"),
        nullable=True,
    ),
    _col("title", Text, "One line, at most 200 characters."),
    _col("content", Text, "The text, at most 10,000 characters.", server_default=text("''")),
    _col("category", Text, "One of 14 categories."),
    _col("topics", _TEXTS, "Topics, most telling first.", server_default=_EMPTY_TEXTS),
    _col("significance_score", Integer, "0 to 100."),
    _col("significance_factors", _TEXTS, "What the score is made of.", server_default=_EMPTY_TEXTS),
    _col(
        "references",
        JSONB,
        "What the payload points at: [{type, id, url, label}].",
        server_default=_EMPTY_LIST,
    ),
    _col("metadata", JSONB, "Provider's own fields.", server_default=_EMPTY_OBJECT),
    _col("cluster_id", Text, "Cluster it belongs to.", nullable=True),
    _col("embedding_title_id", Text, "Id of the title's vector.", nullable=True),
    _col("embedding_content_id", Text, "Id of the content's vector.", nullable=True),
    _col("embedding_summary_id", Text, "Id of the summary's vector.", nullable=True),
    _col("rule_version", Integer, "Version of the provider's rules that made it."),
    _col(
        "series_key",
        _KEY,
        "Key of what recurs, where the observation counts occurrences of it.",
        nullable=True,
    ),
    _col(
        "part_key",
        _KEY,
        "Key of what of the subject it tells of and that can be deleted alone: a comment.",
        nullable=True,
    ),
    _col(
        "written_at",
        _TIME,
        "When its text was written, where that is known; names in it are read as of then.",
        nullable=True,
    ),
    _col(
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
    _col(
        "observation_id", BigInteger, "The observation.", _ref("observations.id"), primary_key=True
    ),
    _col(
        "raw_payload_id",
        BigInteger,
        "A payload that states it.",
        _ref("raw_payloads.id"),
        primary_key=True,
    ),
    Index("ix_observation_sources_raw", "raw_payload_id"),
    comment="Which payloads state an observation.",
)

occurrences = Table(
    "occurrences",
    metadata,
    _col("event_id", _KEY, "Provider's id of the event; empty for a restart.", primary_key=True),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col("series_key", _KEY, "Key of what recurs: an issue of Sentry's.", primary_key=True),
    _col(
        "raw_payload_id",
        BigInteger,
        "A payload that states it.",
        _ref("raw_payloads.id"),
        primary_key=True,
    ),
    _col("at", _TIME, "When it happened, as all payloads that state it say together."),
    _col("hour_id", _KEY, "source_id of the observation that counts its hour."),
    _col("alone_id", _KEY, "source_id of the observation that it is where it stands alone."),
    _col("is_alone", Boolean, "Whether it stands alone: the first of all and after each restart."),
    _col("is_restart", Boolean, "A regression: from then on the next event stands alone again."),
    _col("received_at", _TIME, "When the payload was received."),
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
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col("hour_id", _KEY, "source_id of the observation that counts the hour.", primary_key=True),
    _col("events", Integer, "How many events it counts."),
    comment="How many events an hour of a series counts, those that stand alone left out.",
)

first_receipts = Table(
    "first_receipts",
    metadata,
    _col(
        "workspace_id",
        BigInteger,
        "Workspace in which the body states its facts; null for changes of connections, resources and names.",
        _ref("workspaces.id"),
        nullable=True,
    ),
    _col(
        "verified_for",
        Text,
        "Secret and organisation that vouch for it; empty where a workspace is named.",
    ),
    _col("provider", Text, "Provider that sent it."),
    _col("body_sha256", LargeBinary, "SHA-256 of the body."),
    _col(
        "raw_payload_id",
        BigInteger,
        "The first delivery of this body; any other states nothing.",
        _ref("raw_payloads.id"),
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

entities = Table(
    "entities",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("category", Text, "pull_request, issue, commit, branch, file, user, ..."),
    _col("key", _KEY, "Canonical key, of ids that survive renames; an alias while it is a stub."),
    _col("value", Text, "Name or title stated last.", nullable=True),
    _col(
        "aliases",
        _TEXTS,
        "Other keys under which it is referred to, sorted.",
        server_default=_EMPTY_TEXTS,
    ),
    _col("confidence", REAL, "Highest confidence of its mentions."),
    _col("first_seen_at", _TIME, "Earliest observation that mentions it."),
    _col("last_seen_at", _TIME, "Latest observation that mentions it."),
    _col("occurrence_count", Integer, "Observations that mention it."),
    _col("url", Text, "Address at the provider.", nullable=True),
    _col("value_stated_at", _TIME, "Time of the observation that stated the value.", nullable=True),
    _col(
        "value_stated_by",
        _KEY,
        "source_id of the observation that stated the value.",
        nullable=True,
    ),
    _col("url_stated_at", _TIME, "Time of the observation that stated the address.", nullable=True),
    _col(
        "url_stated_by",
        _KEY,
        "source_id of the observation that stated the address.",
        nullable=True,
    ),
    _col("is_stub", Boolean, "Whether it is referred to but has not arrived itself."),
    UniqueConstraint("workspace_id", "key"),
    Index("ix_entities_category", "workspace_id", "category"),
    comment="A thing that observations are about or mention.",
)

entity_aliases = Table(
    "entity_aliases",
    metadata,
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col("alias", _KEY, "A key under which it is referred to.", primary_key=True),
    _col("entity_id", BigInteger, "Entity that claims it.", _ref("entities.id"), primary_key=True),
    Index("ix_entity_aliases_entity", "entity_id"),
    comment="Aliases that entities claim; an alias that two entities claim resolves to neither.",
)

entity_stubs = Table(
    "entity_stubs",
    metadata,
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col("key", _KEY, "Alias under which something is referred to.", primary_key=True),
    _col(
        "beside",
        _KEY,
        "Alias by ids that is stated with it (a number in its repository's own text), else empty.",
        primary_key=True,
        server_default=text("''"),
    ),
    _col(
        "since",
        _TIME,
        "From when on it stands for this entity: a name may be given up and taken by another.",
        primary_key=True,
        server_default=text("'-infinity'"),
    ),
    _col(
        "entity_id",
        BigInteger,
        "Entity it stands for now: the thing itself, or a stub; null for a candidate that nothing claims.",
        _ref("entities.id"),
        nullable=True,
    ),
    _col("is_ambiguous", Boolean, "Whether several things answer to it: then it makes no edge."),
    Index(
        "ix_entity_stubs_sha",
        "workspace_id",
        text("substr(key, 16, 7)"),
        postgresql_where=text("key like 'github:ref:sha:%'"),
    ),
    comment="What each reference by alias stands for now.",
)

entity_lookups = Table(
    "entity_lookups",
    metadata,
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col("alias", _KEY, "Alias to look it up by.", primary_key=True),
    _col("stub_key", _KEY, "The reference (entity_stubs.key).", primary_key=True),
    Index("ix_entity_lookups_stub", "workspace_id", "stub_key"),
    comment="Aliases under which a reference can be found.",
)

place_names = Table(
    "place_names",
    metadata,
    _col(
        "org_id",
        Text,
        "Organisation that knows of it; empty where a payload of the deployment's own secret says it.",
        primary_key=True,
    ),
    _col("alias", _KEY, "Key by the name: `github:ref:acme/shop`.", primary_key=True),
    _col("place", _KEY, "Key by the id of what had the name: `github:ref:300`.", primary_key=True),
    _col("day", Date, "Day (UTC) on which it had it.", primary_key=True),
    _col(
        "is_weak",
        Boolean,
        "Whether it counts only for the time before anything surer is known of the name.",
        primary_key=True,
    ),
    _col("first_at", _TIME, "First time on that day."),
    _col("last_at", _TIME, "Last time on that day."),
    _col("shown", Text, "The name as it was written last on that day."),
    Index("ix_place_names_place", "place", "last_at"),
    comment="Which repository answered to which name when, as payloads said.",
)

observation_entities = Table(
    "observation_entities",
    metadata,
    _col(
        "observation_id", BigInteger, "The observation.", _ref("observations.id"), primary_key=True
    ),
    _col("entity_id", BigInteger, "The entity, after aliases are resolved.", _ref("entities.id")),
    _col(
        "role",
        Text,
        "subject, reference, file, text, label, branch, related, ...",
        primary_key=True,
    ),
    _col("evidence", Text, "Words that show it.", nullable=True),
    _col("confidence", REAL, "0 to 1."),
    _col("extractor", Text, "Rule that found it."),
    _col("stated_key", _KEY, "Key as stated, before aliases are resolved.", primary_key=True),
    _col("stated_value", Text, "Name as stated.", nullable=True),
    _col("stated_url", Text, "Address as stated.", nullable=True),
    _col("stated_aliases", _TEXTS, "Aliases as stated.", server_default=_EMPTY_TEXTS),
    Index("ix_observation_entities_entity", "entity_id"),
    comment="An observation mentions an entity.",
)

candidate_mentions = Table(
    "candidate_mentions",
    metadata,
    _col(
        "observation_id", BigInteger, "The observation.", _ref("observations.id"), primary_key=True
    ),
    _col("role", Text, "As in observation_entities.", primary_key=True),
    _col("stated_key", _KEY, "The candidate (entity_stubs.key).", primary_key=True),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("evidence", Text, "Words that show it.", nullable=True),
    _col("confidence", REAL, "0 to 1."),
    _col("extractor", Text, "Rule that found it."),
    _col("stated_value", Text, "Name as stated.", nullable=True),
    _col("stated_url", Text, "Address as stated.", nullable=True),
    _col("stated_aliases", _TEXTS, "Aliases as stated.", server_default=_EMPTY_TEXTS),
    Index("ix_candidate_mentions_key", "workspace_id", "stated_key"),
    comment="A word that is a mention as soon as some thing claims the name, and only then.",
)

relationships = Table(
    "relationships",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("subject_id", BigInteger, "Entity that the edge starts from.", _ref("entities.id")),
    _col("object_id", BigInteger, "Entity that it points to.", _ref("entities.id")),
    _col("type", Text, "fixes, references, contains, merges_as, deploys, ..."),
    _col("confidence", REAL, "Highest confidence of what states it."),
    _col("method", Text, "How it was found, of the statement believed first."),
    _col("evidence", Text, "Words that show it.", nullable=True),
    _col("first_seen_at", _TIME, "Earliest observation that states it."),
    _col("last_seen_at", _TIME, "Latest observation that states it."),
    _col("observation_count", Integer, "Observations that state it."),
    UniqueConstraint("workspace_id", "subject_id", "object_id", "type"),
    Index("ix_relationships_object", "object_id"),
    Index("ix_relationships_subject", "subject_id"),
    comment="A directed edge between two entities.",
)

relationship_sources = Table(
    "relationship_sources",
    metadata,
    _col(
        "observation_id",
        BigInteger,
        "Observation that states it.",
        _ref("observations.id"),
        primary_key=True,
    ),
    _col("subject_key", _KEY, "Subject's key as stated.", primary_key=True),
    _col("object_key", _KEY, "Object's key as stated.", primary_key=True),
    _col("type", Text, "Type of the edge.", primary_key=True),
    _col(
        "subject_id",
        BigInteger,
        "Subject, aliases resolved; null where ambiguous.",
        _ref("entities.id"),
        nullable=True,
    ),
    _col(
        "object_id",
        BigInteger,
        "Object, aliases resolved; null where ambiguous.",
        _ref("entities.id"),
        nullable=True,
    ),
    _col("confidence", REAL, "0 to 1."),
    _col("method", Text, "How it was found."),
    _col("evidence", Text, "Words that show it.", nullable=True),
    Index("ix_relationship_sources_ends", "subject_id", "object_id"),
    Index("ix_relationship_sources_object", "object_id"),
    comment="Which observations state an edge.",
)

identity_mentions = Table(
    "identity_mentions",
    metadata,
    _col(
        "observation_id", BigInteger, "The observation.", _ref("observations.id"), primary_key=True
    ),
    _col("identity_id", BigInteger, "The identity.", _ref("actor_identities.id"), primary_key=True),
    _col(
        "role",
        Text,
        "actor, author, committer, co_author, reviewer, assignee, ...",
        primary_key=True,
    ),
    _col("username", Text, "Login as stated.", nullable=True),
    _col("email", Text, "Address as stated.", nullable=True),
    _col("name", Text, "Name as stated.", nullable=True),
    _col("avatar_url", Text, "Picture as stated.", nullable=True),
    _col("kind", Text, "Kind as stated."),
    _col("email_verified", Boolean, "Whether the provider vouched for the address."),
    Index("ix_identity_mentions_identity", "identity_id"),
    comment="An identity takes part in an observation.",
)

state_changes = Table(
    "state_changes",
    metadata,
    _col(
        "observation_id",
        BigInteger,
        "Observation that states it.",
        _ref("observations.id"),
        primary_key=True,
    ),
    _col("entity_key", _KEY, "Key of the entity as stated.", primary_key=True),
    _col("state_type", Text, "status, assignee, latest_release, ...", primary_key=True),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("state_value", Text, "The value from then on."),
    _col("state_metadata", JSONB, "More of it (reason, name).", server_default=_EMPTY_OBJECT),
    _col("at", _TIME, "When it began, by the provider's clock."),
    _col("rank", Integer, "Order among changes at one moment."),
    _col("reason", Text, "Why it changed.", nullable=True),
    _col("recorded_at", _TIME, "When the earliest payload that states it was received."),
    # One for each of the two clocks; the conditions let a question about one not choose the other.
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
    comment="A change of state, as an observation states it; temporal_states is folded from these.",
)

temporal_states = Table(
    "temporal_states",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col("entity_type", Text, "Category of the entity."),
    _col("entity_id", _KEY, "Key of the entity."),
    _col("entity_name", Text, "Its name.", nullable=True),
    _col("state_type", Text, "status, latest_release, ..."),
    _col("state_value", Text, "The value that held."),
    _col("state_metadata", JSONB, "More of it (reason, name).", server_default=_EMPTY_OBJECT),
    _col("valid_from", _TIME, "When it began to hold."),
    _col("valid_to", _TIME, "When it ceased to hold; null: it still does.", nullable=True),
    _col("is_current", Boolean, "Whether it holds now, as known now."),
    _col("recorded_at", _TIME, "When it became known."),
    _col(
        "superseded_at",
        _TIME,
        "When it became known to be otherwise; null: believed now.",
        nullable=True,
    ),
    _col(
        "changed_by_identity_id",
        BigInteger,
        "Who changed it.",
        ForeignKey("lightfast.actor_identities.id"),
        nullable=True,
    ),
    _col("change_reason", Text, "Why it changed.", nullable=True),
    _col(
        "related_observation_id",
        BigInteger,
        "Observation that began it.",
        _ref("observations.id"),
        nullable=True,
    ),
    Index("ix_temporal_states_entity", "workspace_id", "entity_id", "state_type", "valid_from"),
    Index(
        "uq_temporal_states_current",
        "workspace_id",
        "entity_id",
        "state_type",
        unique=True,
        postgresql_where=text("is_current"),
    ),
    Index("ix_temporal_states_observation", "related_observation_id"),
    comment="A state that held for a while, and when that was known.",
)

observation_vectors = Table(
    "observation_vectors",
    metadata,
    _col(
        "observation_id", BigInteger, "The observation.", _ref("observations.id"), primary_key=True
    ),
    _col("view", Text, "title, content or summary.", primary_key=True),
    _col("model", Text, "Model that made it.", primary_key=True),
    _col(
        "workspace_id",
        BigInteger,
        "Workspace, so that a search stays within it.",
        _ref("workspaces.id"),
        index=True,
    ),
    _col("vector", Vector(VECTOR_DIMENSIONS), "Unit vector."),
    Index("ix_observation_vectors_titles", "model", postgresql_where=text("view = 'title'")),
    comment="A view's vector.",
)

cluster_members = Table(
    "cluster_members",
    metadata,
    _col(
        "observation_id", BigInteger, "The observation.", _ref("observations.id"), primary_key=True
    ),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), index=True),
    _col("cluster_id", Text, "Its cluster."),
    _col(
        "thread_key",
        Text,
        "Its thread: the smallest entity key of a group joined by strong explicit edges.",
    ),
    _col("rule_version", Integer, "Version of the rule that decided."),
    _col("is_provisional", Boolean, "True until consolidation has decided."),
    Index("ix_cluster_members_cluster", "cluster_id"),
    Index("ix_cluster_members_rule_version", "rule_version"),
    comment="Which cluster an observation belongs to.",
)

consolidation_marks = Table(
    "consolidation_marks",
    metadata,
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id"), primary_key=True),
    _col(
        "changes",
        BigInteger,
        "Counts batches that changed the workspace.",
        server_default=text("0"),
    ),
    _col(
        "consolidated",
        BigInteger,
        "Value of `changes` that clusters and actors were last decided for.",
        server_default=text("0"),
    ),
    _col("rule_version", Integer, "Version of the rules that decided.", server_default=text("0")),
    _col(
        "profiled",
        BigInteger,
        "Sum of `changes` over the organisation that profiles were last made for.",
        server_default=text("0"),
    ),
    _col(
        "profile_rules",
        Integer,
        "Version of the rule that made the profiles.",
        server_default=text("0"),
    ),
    _col(
        "summarized",
        BigInteger,
        "Value of `consolidated` that summaries were last written for.",
        server_default=text("0"),
    ),
    _col(
        "summary_rules",
        Text,
        "Versions of the rules of clusters and of summaries that wrote them.",
        server_default=text("''"),
    ),
    comment="Whether a workspace has changed since its clusters and actors were decided.",
)

stage_failures = Table(
    "stage_failures",
    metadata,
    _id(),
    _col("workspace_id", BigInteger, "Workspace.", _ref("workspaces.id")),
    _col(
        "observation_id",
        BigInteger,
        "The observation; null where the stage failed for the workspace as a whole.",
        _ref("observations.id"),
        nullable=True,
    ),
    _col("stage", Text, "embeddings, clusters, people, consolidation, profiles or summaries."),
    _col(
        "rules", Text, "The model or version of the rules that failed; another one takes it again."
    ),
    _col("attempts", Integer, "Attempts that failed while other work went through."),
    _col("error_class", Text, "Class of the last error."),
    _col("error", Text, "The last error, shortened and without secrets."),
    _col("first_failed_at", _TIME, "When it first failed under these rules.", server_default=_NOW),
    _col("last_failed_at", _TIME, "When it last failed.", server_default=_NOW),
    Index(
        "uq_stage_failures",
        "observation_id",
        "stage",
        "workspace_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_stage_failures_workspace", "workspace_id"),
    comment="What a stage after capture could not do; four attempts, then it is taken no more.",
)
