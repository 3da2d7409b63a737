"""Actors, their identities and their profiles."""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    Boolean,
    CheckConstraint,
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
    column("display_name", Text, "Best known name.", index=True),
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
    column("mapping_method", Text, "Strongest evidence that joins it; or `alone`.", nullable=True),
    column("confidence", REAL, "Confidence of that evidence, 0 to 1.", nullable=True),
    column(
        "joined_to",
        KEY,
        "Key (`source:source_id`) of the actor's identity that the evidence joins it to; "
        "null if it is the only one.",
        nullable=True,
    ),
    column(
        "mapping_evidence",
        JSONB,
        "All evidence that joins it: [{rule, kind (decided, verified or claimed), confidence, "
        "detail}], strongest first.",
        server_default=EMPTY_LIST,
    ),
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

_VERDICTS = "accept (one person), reject (two people) or undo (a merge was wrong: two people)."

actor_decisions = Table(
    "actor_decisions",
    metadata,
    serial_id("Serial number; the latest decision about a pair counts."),
    column("org_id", Text, "Organisation."),
    column(
        "pair_id",
        KEY,
        "Hash of the organisation and both identity keys, by which commands name the pair.",
    ),
    column("left_source", Text, "Provider of the identity with the smaller key, or `git`."),
    column("left_source_id", KEY, "Its id there, as in actor_identities.source_id."),
    column("right_source", Text, "Provider of the other identity, or `git`."),
    column("right_source_id", KEY, "Its id there, as in actor_identities.source_id."),
    column("verdict", Text, _VERDICTS),
    column("decided_by", Text, "Who decided."),
    column("decided_at", TIME, "When."),
    column("note", Text, "Why, in their words.", nullable=True),
    CheckConstraint("verdict IN ('accept', 'reject', 'undo')", name="ck_actor_decisions_verdict"),
    Index("ix_actor_decisions_pair", "org_id", "pair_id", "id"),
    comment="A person decided whether two identities are one person. An input: rows are only added, "
    "and a rebuild keeps them.",
)

doubtful_identities = Table(
    "doubtful_identities",
    metadata,
    column("id", KEY, "Hash of the organisation and both identity keys.", primary_key=True),
    column("org_id", Text, "Organisation."),
    reference("left_identity_id", "actor_identities.id", "The identity with the smaller key."),
    reference("right_identity_id", "actor_identities.id", "The other identity."),
    column("confidence", REAL, "Confidence that they are one person, 0 to 1."),
    column(
        "evidence",
        JSONB,
        "What speaks for it: [{rule, kind, confidence, detail}], strongest first.",
        server_default=EMPTY_LIST,
    ),
    # In the order in which they are listed.
    Index("ix_doubtful_identities_org", "org_id", text("confidence DESC"), "id"),
    Index("ix_doubtful_identities_left", "left_identity_id"),
    Index("ix_doubtful_identities_right", "right_identity_id"),
    comment="Two identities that may be one person, for a person to decide: the most certain pairs of "
    "an organisation.",
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
        "[{actor_id, display_name, interactions, kinds: {reviewed, co_authored, discussed, "
        "assigned}}], "
        "most interactions first.",
        server_default=EMPTY_LIST,
    ),
    column(
        "time_zone_guess",
        Text,
        "Offset from UTC (`UTC+02:00`) at which they probably work; null for bots, and where too "
        "little is known.",
        nullable=True,
    ),
    column("time_zone_confidence", REAL, "That it is right to the hour, 0 to 1.", nullable=True),
    column(
        "time_zone_evidence",
        Text,
        "commits (the offsets that they state) or hours (when they work).",
        nullable=True,
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
