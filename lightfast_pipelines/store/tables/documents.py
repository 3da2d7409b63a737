"""Documents of linked repositories, their parts with vectors, and the queue of repositories to look at."""

from __future__ import annotations

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Computed, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from lightfast_pipelines.store.tables.columns import (
    EMPTY_TEXTS,
    KEY,
    NOW,
    TEXTS,
    TIME,
    ZERO,
    column,
    metadata,
    reference,
    serial_id,
    workspace_id,
)

document_queue = Table(
    "document_queue",
    metadata,
    reference(
        "integration_id",
        "integrations.id",
        "Integration whose repository has to be looked at.",
        primary_key=True,
    ),
    workspace_id(),
    column("reason", Text, "Why: a push, a change of settings, a request."),
    column(
        "asked",
        Integer,
        "How often it was asked for since the row was made; the row is deleted only if nobody asked meanwhile.",
        server_default=text("1"),
    ),
    column(
        "awaited",
        TEXTS,
        "Commits just pushed: a look ends the waiting once it has seen each as the head, or began five "
        "minutes after the last push. Until then GitHub may answer with an older head.",
        server_default=EMPTY_TEXTS,
    ),
    column("queued_at", TIME, "When it was asked for last.", server_default=NOW),
    column("attempts", Integer, "Looks that failed so far.", server_default=ZERO),
    column("not_before", TIME, "When it is looked at again.", server_default=NOW),
    column("error", Text, "Why the last look failed, for an operator.", nullable=True),
    comment="A linked repository whose documents may have changed, and wait to be compared with it.",
)

documents = Table(
    "documents",
    metadata,
    serial_id(),
    workspace_id(),
    reference("integration_id", "integrations.id", "Integration whose repository holds it."),
    column("repository", Text, "Name of the repository, `owner/name`."),
    column("path", KEY, "Path in the repository."),
    column("title", Text, "Its title or first heading, else the name of the file."),
    column("url", Text, "Address of this version at the provider.", nullable=True),
    column("commit_sha", Text, "Latest commit of the default branch that changed the file."),
    column("commit_key", KEY, "Key of that commit in `entities` and in the views.", nullable=True),
    column("blob_sha", Text, "Git's id of the content."),
    column("changed_at", TIME, "When that commit was made."),
    column(
        "changed_by", Text, "Who wrote the change: login, else the commit's name.", nullable=True
    ),
    column("size", Integer, "Bytes of the file."),
    column("chunk_count", Integer, "Parts in `document_chunks`.", server_default=ZERO),
    column(
        "skipped",
        Text,
        "Why the file has no parts (too large, not text); null: it has been read.",
        nullable=True,
    ),
    column("model", Text, "Embedding model of its parts."),
    column("rule_version", Integer, "Version of the rule that makes the parts."),
    column("fetched_at", TIME, "When this version was fetched.", server_default=NOW),
    UniqueConstraint("integration_id", "path"),
    Index("ix_documents_workspace", "workspace_id", "changed_at"),
    # Finds what another model or older rules have made.
    Index("ix_documents_made_by", "model", "rule_version"),
    comment=(
        "A Markdown or text file of a linked repository, as the latest commit of its default branch has it."
    ),
)

document_chunks = Table(
    "document_chunks",
    metadata,
    reference("document_id", "documents.id", "The document.", primary_key=True),
    column("position", Integer, "Position in the document, from 0.", primary_key=True),
    workspace_id(),
    column("heading_path", TEXTS, "Headings above the part, the outermost first."),
    column("text", Text, "The part, with secrets masked."),
    column("first_line", Integer, "First line in the file, from 1."),
    column("last_line", Integer, "Last line in the file."),
    column("tokens", Integer, "About how many tokens it has."),
    column("model", Text, "Embedding model; its name holds the dimensions."),
    column("vector", HALFVEC(), "Unit vector of headings and text, or zeros without words."),
    # Stored, as a search ranks every match: making it again takes 0.4 ms each.
    column(
        "words",
        TSVECTOR,
        "Its words, for `documents_with`.",
        Computed("to_tsvector('english', \"text\")", persisted=True),
    ),
    # A search by meaning reads one workspace and model; one by words reads the matches.
    Index("ix_document_chunks_workspace", "workspace_id", "model"),
    Index("ix_document_chunks_words", "words", postgresql_using="gin"),
    comment="A part of a document: a section, or a piece of a long one.",
)
