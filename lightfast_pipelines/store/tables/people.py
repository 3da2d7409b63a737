"""Actors, their identities and their profiles."""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_LIST,
    EMPTY_OBJECT,
    KEY,
    NOW,
    TIME,
    column,
    metadata,
    observation_id,
    reference,
    serial_id,
    workspace_id,
)

actors = Table(
    "actors",
    metadata,
    column(
        "id",
        Text,
        "Hash of the smallest identity key of the organisation's person.",
        primary_key=True,
    ),
    column("org_id", Text, "Organisation.", index=True),
    column("display_name", Text, "Best known name."),
    column("kind", Text, "person, bot, organization or unknown."),
    column("identity_count", Integer, "Number of its identities.", server_default=text("1")),
    comment="A person or bot of an organisation: the identities that belong together.",
)

actor_identities = Table(
    "actor_identities",
    metadata,
    serial_id(),
    column("org_id", Text, "Organisation."),
    column("source", Text, "Provider of the account, or `git` for a commit's name and address."),
    column("source_id", KEY, "The provider's id of the account, or `Name <address>`."),
    column("source_username", Text, "Login.", nullable=True),
    column("source_email", Text, "E-mail address, lower case.", nullable=True),
    column("source_name", Text, "Display name.", nullable=True),
    column("avatar_url", Text, "Picture.", nullable=True),
    column("kind", Text, "person, bot, organization or unknown.", server_default=text("'unknown'")),
    column(
        "email_verified",
        Boolean,
        "Whether the provider vouches for the address.",
        server_default=text("false"),
    ),
    column("actor_id", Text, "Its actor (actors.id); null until decided.", nullable=True),
    column("mapping_method", Text, "Evidence that joins it to its actor.", nullable=True),
    column("confidence", REAL, "Confidence of that evidence, 0 to 1.", nullable=True),
    column("mapped_at", TIME, "When it was decided.", nullable=True),
    column(
        "stated",
        JSONB,
        "Per field, when and by which observation it was last stated.",
        server_default=EMPTY_OBJECT,
    ),
    UniqueConstraint("org_id", "source", "source_id"),
    Index("ix_actor_identities_actor", "actor_id"),
    Index("ix_actor_identities_email", "org_id", "source_email"),
    comment="An account at a provider, or a name and address in commits.",
)

identity_mentions = Table(
    "identity_mentions",
    metadata,
    observation_id(),
    reference("identity_id", "actor_identities.id", "The identity.", primary_key=True),
    column(
        "role",
        Text,
        "actor, author, committer, co_author, reviewer, assignee, ...",
        primary_key=True,
    ),
    column("username", Text, "Login as stated.", nullable=True),
    column("email", Text, "Address as stated.", nullable=True),
    column("name", Text, "Name as stated.", nullable=True),
    column("avatar_url", Text, "Picture as stated.", nullable=True),
    column("kind", Text, "Kind as stated."),
    column("email_verified", Boolean, "Whether the provider vouched for the address."),
    Index("ix_identity_mentions_identity", "identity_id"),
    comment="An identity takes part in an observation in a role.",
)

actor_profiles = Table(
    "actor_profiles",
    metadata,
    workspace_id(primary_key=True),
    column(
        "actor_id",
        Text,
        "Actor that it describes; bots have profiles too (actors.kind).",
        ForeignKey("lightfast.actors.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    column(
        "expertise_domains",
        JSONB,
        "Domain (`directory:src/cart`, `category:bug_fix`, an entity's key) -> 0 to 1; "
        "halves every 90 days.",
        server_default=EMPTY_OBJECT,
    ),
    column(
        "contribution_types",
        JSONB,
        "Kind of contribution (code, review, discussion, ...) -> share of all.",
        server_default=EMPTY_OBJECT,
    ),
    column(
        "active_hours",
        ARRAY(Integer),
        "Hours of the day (UTC) with above-average activity; empty below ten actions.",
        server_default=text("'{}'::integer[]"),
    ),
    column(
        "frequent_collaborators",
        JSONB,
        "[{actor_id, display_name, interactions, kinds: {reviewed, co_authored, discussed}}], "
        "most interactions first.",
        server_default=EMPTY_LIST,
    ),
    column("observation_count", Integer, "Observations that the actor took part in."),
    column("last_active_at", TIME, "Time of the actor's latest action."),
    column("profile_confidence", REAL, "0 to 0.95, by the number of observations."),
    column(
        "evidence_hash",
        Text,
        "Hash of the evidence that it was made from; a new hash makes it due again.",
    ),
    column("rule_version", Integer, "Version of the rule that made it."),
    column("created_at", TIME, "When it was first made.", server_default=NOW),
    column("updated_at", TIME, "When it last changed.", server_default=NOW),
    Index("ix_actor_profiles_actor", "actor_id"),
    Index("ix_actor_profiles_active", "workspace_id", "last_active_at"),
    comment="What an actor works on in a workspace, with whom and when.",
)
