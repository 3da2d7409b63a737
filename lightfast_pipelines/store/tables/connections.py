"""Workspaces, installations with their credentials, and the resources linked to workspaces."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_OBJECT,
    NOW,
    TIME,
    ZERO,
    column,
    metadata,
    reference,
    serial_id,
)

workspaces = Table(
    "workspaces",
    metadata,
    serial_id(),
    column("org_id", Text, "Organisation that the workspace belongs to."),
    column("slug", Text, "Short name, unique within the organisation."),
    column("name", Text, "Display name."),
    column(
        "settings",
        JSONB,
        "significance_threshold (30), notify_threshold (70), ...",
        server_default=EMPTY_OBJECT,
    ),
    column("created_at", TIME, "When it was added.", server_default=NOW),
    UniqueConstraint("org_id", "slug"),
    comment="A tenant of an organisation.",
)

installations = Table(
    "installations",
    metadata,
    serial_id(),
    column("provider", Text, "github, vercel, linear, sentry, ..."),
    column(
        "external_id",
        Text,
        "The provider's id of the installation, or `manual:{org}` for links made by hand.",
    ),
    column("org_id", Text, "Organisation that connected it."),
    column("account_login", Text, "The provider's account name, for display.", nullable=True),
    column("status", Text, "active, pending, error or revoked.", server_default=text("'active'")),
    column("status_reason", Text, "Why the status is what it is, for an operator.", nullable=True),
    column(
        "provider_account_info",
        JSONB,
        "What the provider says about the account.",
        server_default=EMPTY_OBJECT,
    ),
    column("connected_by", Text, "Who connected it.", nullable=True),
    column("created_at", TIME, "When it was first connected.", server_default=NOW),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    column(
        "own_secret_after",
        BigInteger,
        "Latest raw_payloads.id when it first got a webhook secret of its own; null: never.",
        nullable=True,
    ),
    UniqueConstraint("provider", "external_id"),
    comment="A connection of an organisation to a provider. An input, never derived.",
)

installation_secrets = Table(
    "installation_secrets",
    metadata,
    serial_id(),
    reference(
        "installation_id",
        "installations.id",
        "Installation whose deliveries it verifies; the sealed text is bound to it.",
        index=True,
    ),
    column("sealed", Text, "AES-256-GCM: base64 of IV (12 bytes), tag (16) and ciphertext."),
    column("key_id", Text, "Which key of ENCRYPTION_KEY opens it: 16 digits of a hash of the key."),
    column("created_at", TIME, "When it was set.", server_default=NOW),
    comment="A valid webhook secret of an installation, or one of two while rotating. An input, never derived.",
)

tokens = Table(
    "tokens",
    metadata,
    serial_id(),
    reference(
        "installation_id",
        "installations.id",
        "Installation whose credentials they are; the sealed texts are bound to it.",
        unique=True,
    ),
    column("kind", Text, "github_app, personal, token, oauth or api_key."),
    column(
        "access_token", Text, "Sealed with AES-256-GCM; null until one is requested.", nullable=True
    ),
    column("refresh_token", Text, "Sealed with AES-256-GCM.", nullable=True),
    column("key_id", Text, "Which key of ENCRYPTION_KEY opens both."),
    column("expires_at", TIME, "When the access token expires; null: never.", nullable=True),
    column(
        "details",
        JSONB,
        "What is not secret: scopes, the organisation's slug.",
        server_default=EMPTY_OBJECT,
    ),
    column("status", Text, "active or refused.", server_default=text("'active'")),
    column("status_reason", Text, "Why it is refused, for an operator.", nullable=True),
    column("refreshed_at", TIME, "When the access token was last renewed.", nullable=True),
    column("created_at", TIME, "When they were first stored.", server_default=NOW),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    comment="An installation's credentials for the provider's API, sealed. An input, never derived.",
)

resources = Table(
    "resources",
    metadata,
    serial_id(),
    reference(
        "installation_id", "installations.id", "Installation that gives access to it.", index=True
    ),
    column("provider", Text, "Provider of the resource."),
    column("org_id", Text, "Organisation that owns it: the first that linked it."),
    column(
        "provider_resource_id", Text, "The provider's stable id: a repository, project or team."
    ),
    column("resource_name", Text, "Display name (`owner/repo`); follows renames.", nullable=True),
    column(
        "resource_meta",
        JSONB,
        "What the provider says about it (default_branch, archived, ...).",
        server_default=EMPTY_OBJECT,
    ),
    column("status", Text, "active or removed.", server_default=text("'active'")),
    column("status_reason", Text, "Why the status is what it is, for an operator.", nullable=True),
    column("created_at", TIME, "When it was first linked.", server_default=NOW),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    UniqueConstraint("provider", "provider_resource_id"),
    comment="A repository, project or team of an installation. An input, never derived.",
)

integrations = Table(
    "integrations",
    metadata,
    serial_id(),
    reference("workspace_id", "workspaces.id", "Workspace that it is linked to."),
    reference("resource_id", "resources.id", "The resource.", index=True),
    column(
        "sync_config",
        JSONB,
        "What the workspace wants: events, branches, paths, autoSync, documents.",
        server_default=EMPTY_OBJECT,
    ),
    column(
        "backfill_state",
        JSONB,
        "Progress of reading the provider's history.",
        server_default=EMPTY_OBJECT,
    ),
    column(
        "is_active", Boolean, "False while an operator has paused it.", server_default=text("true")
    ),
    column("status_reason", Text, "Why it is paused, for an operator.", nullable=True),
    column("connected_by", Text, "Who linked it.", nullable=True),
    column("connected_at", TIME, "When it was linked.", server_default=NOW),
    column("last_synced_at", TIME, "When its history was last read.", nullable=True),
    column(
        "sync_status",
        Text,
        "Reading its history: idle, running, completed, failed, cancelled or refused.",
        server_default=text("'idle'"),
    ),
    column(
        "sync_error",
        Text,
        "Why reading its history failed or is refused, for an operator.",
        nullable=True,
    ),
    column(
        "config_status",
        Text,
        "Where its documents are named: unknown (not looked yet), absent, ok or invalid.",
        server_default=text("'unknown'"),
    ),
    column(
        "config_message",
        Text,
        "What is wrong, with file and line, or which file or setting counts.",
        nullable=True,
    ),
    column("last_config_check", TIME, "When that was last looked at.", nullable=True),
    column("document_count", Integer, "Documents that can be searched.", server_default=ZERO),
    column(
        "documents_commit",
        Text,
        "Commit of the default branch that its documents agree with.",
        nullable=True,
    ),
    column(
        "documents_asked",
        JSONB,
        "Patterns by which these documents were chosen.",
        nullable=True,
    ),
    UniqueConstraint("workspace_id", "resource_id"),
    comment="A resource linked to a workspace. An input, never derived.",
)

lifecycle_events = Table(
    "lifecycle_events",
    metadata,
    reference("raw_payload_id", "raw_payloads.id", "Delivery that states it.", primary_key=True),
    column("provider", Text, "Provider of the subject."),
    column("subject_kind", Text, "installation or resource.", primary_key=True),
    column("subject_id", Text, "The provider's id of the subject.", primary_key=True),
    column(
        "change",
        Text,
        "active, suspended, removed, renamed, transferred, archived, unarchived.",
        primary_key=True,
    ),
    column("value", JSONB, "The new value.", server_default=EMPTY_OBJECT),
    column("reason", Text, "Reason in the provider's words, for an operator."),
    column(
        "occurred_at",
        TIME,
        "Provider's time of the change; the latest change wins, whichever arrives last.",
    ),
    column("installation", Text, "Installation that the payload names as its own.", nullable=True),
    Index("ix_lifecycle_events_subject", "provider", "subject_kind", "subject_id"),
    comment="A change of an installation or resource, as a payload stated it.",
)

activity = Table(
    "activity",
    metadata,
    serial_id(),
    column("at", TIME, "When it happened.", server_default=NOW, index=True),
    column("org_id", Text, "Organisation.", nullable=True),
    reference("workspace_id", "workspaces.id", "Workspace, if it concerns one.", nullable=True),
    column("provider", Text, "Provider, if it concerns one.", nullable=True),
    column(
        "subject", Text, "Resource, installation or backfill that it happened to.", nullable=True
    ),
    column("action", Text, "backfill.started, integration.linked, credential.refused, ..."),
    column("actor", Text, "Who or what did it."),
    column("message", Text, "Description for an operator."),
    column("detail", JSONB, "Numbers and names; no secret.", server_default=EMPTY_OBJECT),
    Index("ix_activity_workspace", "workspace_id", "at"),
    comment="Something done to connections or histories, and by whom.",
)
