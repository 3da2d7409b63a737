"""Entities, the names they go by, and the edges between them."""

from __future__ import annotations

from sqlalchemy import REAL, Boolean, Date, Index, Integer, Table, Text, UniqueConstraint, text

from lightfast_pipelines.store.tables.columns import (
    EMPTY_TEXTS,
    KEY,
    TEXTS,
    TIME,
    column,
    metadata,
    observation_id,
    reference,
    serial_id,
    workspace_id,
)

# What the functions tag_of, version_line and version_numbers consist of: an index is made before they are.
_TAG = "substr(key, length('github:release:' || split_part(key, ':', 3)) + 2)"
_RELEASE_LINE = (
    rf"rtrim(lower(coalesce(substring({_TAG} FROM '^(.*?)v?[0-9]+(?:\.[0-9]+)+'), "
    rf"substring({_TAG} FROM '^(.*?)v?[0-9]+[^0-9]*$'), {_TAG})), '@/-_. ')"
)
_RELEASE_NUMBERS = (
    rf"string_to_array(coalesce(substring({_TAG} FROM '[0-9]+(?:\.[0-9]+)+'), "
    rf"substring({_TAG} FROM '([0-9]+)[^0-9]*$')), '.')::numeric[]"
)

entities = Table(
    "entities",
    metadata,
    serial_id(),
    workspace_id(),
    column("category", Text, "pull_request, issue, commit, branch, file, user, ..."),
    column(
        "key", KEY, "Canonical key, made of ids that survive renames; an alias while it is a stub."
    ),
    column("value", Text, "Latest name or title.", nullable=True),
    column(
        "aliases",
        TEXTS,
        "Other keys by which it is referred to, sorted.",
        server_default=EMPTY_TEXTS,
    ),
    column("confidence", REAL, "Highest confidence of its mentions."),
    column("first_seen_at", TIME, "Earliest observation that mentions it."),
    column("last_seen_at", TIME, "Latest observation that mentions it."),
    column("occurrence_count", Integer, "Observations that mention it."),
    column("url", Text, "Address at the provider.", nullable=True),
    column(
        "value_stated_at", TIME, "Time of the observation that states the value.", nullable=True
    ),
    column(
        "value_stated_by", KEY, "source_id of the observation that states the value.", nullable=True
    ),
    column(
        "url_stated_at", TIME, "Time of the observation that states the address.", nullable=True
    ),
    column(
        "url_stated_by", KEY, "source_id of the observation that states the address.", nullable=True
    ),
    column("is_stub", Boolean, "Whether it was mentioned but has not arrived itself."),
    UniqueConstraint("workspace_id", "key"),
    Index("ix_entities_category", "workspace_id", "category"),
    # The latest deployments and errors. The workspace comes last: the planner would sort all rows of one that
    # is named by its slug. Without it, all entities of the workspace were read to leave out the others.
    Index(
        "ix_entities_deployments",
        "first_seen_at",
        "workspace_id",
        postgresql_where=text("category = 'deployment' and not is_stub"),
    ),
    Index(
        "ix_entities_errors",
        "first_seen_at",
        "workspace_id",
        postgresql_where=text("key like 'sentry:issue:%' and not is_stub"),
    ),
    # Counted by kind and age.
    Index("ix_entities_stubs", "key", "first_seen_at", postgresql_where=text("is_stub")),
    # Files by path, issues by identifier (`#41`, `CHK-12`).
    Index(
        "ix_entities_path",
        text("substr(key, 6)"),
        "workspace_id",
        postgresql_where=text("category = 'file'"),
    ),
    Index(
        "ix_entities_identifier",
        text("split_part(value, ' ', 1)"),
        postgresql_where=text("category = 'issue'"),
    ),
    # A package's releases by their versions, as `release_before` asks for them: there may be thousands.
    Index(
        "ix_entities_releases",
        "workspace_id",
        text("split_part(key, ':', 3)"),
        text(f"md5({_RELEASE_LINE})"),
        text(f"({_RELEASE_NUMBERS}) DESC NULLS LAST"),
        postgresql_where=text("key >= 'github:release:' and key < 'github:release;'"),
    ),
    comment="Something that observations are about or mention.",
)

entity_aliases = Table(
    "entity_aliases",
    metadata,
    workspace_id(primary_key=True),
    column("alias", KEY, "A key by which it is referred to.", primary_key=True),
    reference("entity_id", "entities.id", "Entity that claims it.", primary_key=True),
    Index("ix_entity_aliases_entity", "entity_id"),
    comment="An alias that an entity claims; one that two entities claim resolves to neither.",
)

entity_stubs = Table(
    "entity_stubs",
    metadata,
    workspace_id(primary_key=True),
    column("key", KEY, "Alias by which something is referred to.", primary_key=True),
    column(
        "beside",
        KEY,
        "Alias made of ids that is stated with it (a number in its repository's own text), else empty.",
        primary_key=True,
        server_default=text("''"),
    ),
    column(
        "since",
        TIME,
        "Start of the time in which it stands for this entity: another may take over a name.",
        primary_key=True,
        server_default=text("'-infinity'"),
    ),
    reference(
        "entity_id",
        "entities.id",
        "Entity or stub that it stands for now; null for a candidate that no entity claims.",
        nullable=True,
    ),
    column("is_ambiguous", Boolean, "Whether several entities claim it; it then makes no edge."),
    Index(
        "ix_entity_stubs_sha",
        "workspace_id",
        text("substr(key, 16, 7)"),
        postgresql_where=text("key like 'github:ref:sha:%'"),
    ),
    comment="What a reference by alias stands for now.",
)

entity_lookups = Table(
    "entity_lookups",
    metadata,
    workspace_id(primary_key=True),
    column("alias", KEY, "Alias to look it up by.", primary_key=True),
    column("stub_key", KEY, "The reference (entity_stubs.key).", primary_key=True),
    Index("ix_entity_lookups_stub", "workspace_id", "stub_key"),
    comment="An alias by which a reference can be found.",
)

place_names = Table(
    "place_names",
    metadata,
    column(
        "org_id",
        Text,
        "Organisation whose deliveries say so; empty for deliveries verified by the environment's secret.",
        primary_key=True,
    ),
    column("alias", KEY, "Key made of the name: `github:ref:acme/shop`.", primary_key=True),
    column(
        "place", KEY, "Key made of the id of the repository: `github:ref:300`.", primary_key=True
    ),
    column("day", Date, "Day (UTC) on which it had the name.", primary_key=True),
    column(
        "is_weak",
        Boolean,
        "Whether it counts only for the time before stronger evidence about the name.",
        primary_key=True,
    ),
    column("first_at", TIME, "First time seen on that day."),
    column("last_at", TIME, "Last time seen on that day."),
    column("shown", Text, "The name as last written on that day."),
    Index("ix_place_names_place", "place", "last_at"),
    comment="Which repository had which name on a day, according to payloads.",
)

observation_entities = Table(
    "observation_entities",
    metadata,
    observation_id(),
    reference("entity_id", "entities.id", "The entity, with aliases resolved."),
    column(
        "role",
        Text,
        "subject, reference, file, text, label, branch, related, ...",
        primary_key=True,
    ),
    column(
        "evidence",
        Text,
        "Words of the text that show it; of a commit's file: added, modified or removed.",
        nullable=True,
    ),
    column("confidence", REAL, "0 to 1."),
    column("extractor", Text, "Rule that found it."),
    column("stated_key", KEY, "Key as stated, before aliases are resolved.", primary_key=True),
    column("stated_value", Text, "Name as stated.", nullable=True),
    column("stated_url", Text, "Address as stated.", nullable=True),
    column("stated_aliases", TEXTS, "Aliases as stated.", server_default=EMPTY_TEXTS),
    # With the observation, so that the latest that name an entity are found at once.
    Index("ix_observation_entities_entity", "entity_id", "observation_id"),
    comment="A mention: an observation names an entity in a role.",
)

candidate_mentions = Table(
    "candidate_mentions",
    metadata,
    observation_id(),
    column("role", Text, "As in observation_entities.", primary_key=True),
    column("stated_key", KEY, "The candidate (entity_stubs.key).", primary_key=True),
    workspace_id(),
    column("evidence", Text, "Words of the text that show it.", nullable=True),
    column("confidence", REAL, "0 to 1."),
    column("extractor", Text, "Rule that found it."),
    column("stated_value", Text, "Name as stated.", nullable=True),
    column("stated_url", Text, "Address as stated.", nullable=True),
    column("stated_aliases", TEXTS, "Aliases as stated.", server_default=EMPTY_TEXTS),
    Index("ix_candidate_mentions_key", "workspace_id", "stated_key"),
    comment="A word that becomes a mention once an entity claims the name.",
)

relationships = Table(
    "relationships",
    metadata,
    serial_id(),
    workspace_id(),
    reference("subject_id", "entities.id", "Entity that the edge starts from."),
    reference("object_id", "entities.id", "Entity that it points to."),
    column("type", Text, "fixes, references, contains, merges_as, deploys, ..."),
    column("confidence", REAL, "Highest confidence of its statements."),
    column("method", Text, "How it was found, of the statement with the highest confidence."),
    column("evidence", Text, "Words of the text that show it.", nullable=True),
    column("first_seen_at", TIME, "Earliest observation that states it."),
    column("last_seen_at", TIME, "Latest observation that states it."),
    column("observation_count", Integer, "Observations that state it."),
    UniqueConstraint("workspace_id", "subject_id", "object_id", "type"),
    # With the type: a branch or a user has few strong edges among a million weak ones.
    Index("ix_relationships_object", "object_id", "type", "subject_id"),
    Index("ix_relationships_subject", "subject_id", "type", "object_id"),
    comment="A directed edge between two entities.",
)

relationship_sources = Table(
    "relationship_sources",
    metadata,
    reference(
        "observation_id", "observation_facts.id", "Observation that states it.", primary_key=True
    ),
    column("subject_key", KEY, "Subject's key as stated.", primary_key=True),
    column("object_key", KEY, "Object's key as stated.", primary_key=True),
    column("type", Text, "Type of the edge.", primary_key=True),
    reference(
        "subject_id",
        "entities.id",
        "Subject, with aliases resolved; null where ambiguous.",
        nullable=True,
    ),
    reference(
        "object_id",
        "entities.id",
        "Object, with aliases resolved; null where ambiguous.",
        nullable=True,
    ),
    column("confidence", REAL, "0 to 1."),
    column("method", Text, "How it was found."),
    column("evidence", Text, "Words of the text that show it.", nullable=True),
    Index("ix_relationship_sources_ends", "subject_id", "object_id"),
    Index("ix_relationship_sources_object", "object_id"),
    comment="An observation states an edge.",
)

commit_parents = Table(
    "commit_parents",
    metadata,
    observation_id(),
    column(
        "kind",
        Text,
        "parent: the commit's own parent. push: what a push that ended with the commit put before it.",
        primary_key=True,
    ),
    column(
        "position",
        Integer,
        "Place among the parents, or in the push after the commit that the branch held before (0).",
        primary_key=True,
    ),
    workspace_id(),
    column("commit", KEY, "Id of the commit."),
    column("parent", KEY, "Id of the parent; null: it has none.", nullable=True),
    Index("ix_commit_parents_commit", "workspace_id", "commit"),
    Index("ix_commit_parents_parent", "workspace_id", "parent"),
    comment="What an observation of a commit states about the commits before it.",
)
