"""What models were asked, what they answered, and how much of a day's budget that used."""

from __future__ import annotations

from sqlalchemy import BigInteger, Date, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import (
    KEY,
    NOW,
    TIME,
    ZERO,
    column,
    metadata,
    reference,
    serial_id,
    workspace_id,
)

model_usage = Table(
    "model_usage",
    metadata,
    column("day", Date, "Day in UTC.", primary_key=True),
    column("provider", Text, "anthropic, openai or pinecone.", primary_key=True),
    column("model", Text, "Model or index that was asked.", primary_key=True),
    column("purpose", Text, "What for: observations, summaries, embeddings, ...", primary_key=True),
    column("requests", BigInteger, "Requests that were sent.", server_default=ZERO),
    column("failures", BigInteger, "Requests that brought no usable answer.", server_default=ZERO),
    column(
        "input_tokens",
        BigInteger,
        "Input tokens, including those read from the provider's prompt cache.",
        server_default=ZERO,
    ),
    column("output_tokens", BigInteger, "Output tokens.", server_default=ZERO),
    column(
        "cached_tokens",
        BigInteger,
        "Input tokens read from the provider's prompt cache.",
        server_default=ZERO,
    ),
    column(
        "reserved_tokens",
        BigInteger,
        "Tokens set aside for requests under way, or whose answer never came; they count as used.",
        server_default=ZERO,
    ),
    column("vectors", BigInteger, "Vectors written or deleted in an index.", server_default=ZERO),
    column("units", BigInteger, "Units that the answers of an index named.", server_default=ZERO),
    column("last_error", Text, "The last failure, shortened, without secrets.", nullable=True),
    column("last_failed_at", TIME, "When a request last failed.", nullable=True),
    column("last_used_at", TIME, "When it was last asked.", server_default=NOW),
    comment="What a model or a hosted index was asked on a day, and the tokens that it used.",
)

model_pauses = Table(
    "model_pauses",
    metadata,
    column(
        "asked",
        Text,
        "Who is not asked: a provider, `provider purpose` if only answers of this purpose are of no use, or "
        "the hosted index by its name.",
        primary_key=True,
    ),
    column("failures", Integer, "Failures in a row; each makes the pause twice as long."),
    column("until", TIME, "No request is sent before this time."),
    column("error", Text, "The last failure, shortened, without secrets."),
    comment=(
        "A provider, a purpose of it, or the hosted index, that is not asked for a while, as it failed or "
        "asked to wait."
    ),
)

model_answers = Table(
    "model_answers",
    metadata,
    workspace_id(primary_key=True),
    column("purpose", Text, "What was asked for: observations, summaries.", primary_key=True),
    column("content_hash", KEY, "SHA-256 of everything that the question holds.", primary_key=True),
    column(
        "prompt_version",
        Integer,
        "Version of the prompt and of its answer's form.",
        primary_key=True,
    ),
    column("model", Text, "Model that answered."),
    column("answer", JSONB, "The valid answer; null if there is none.", nullable=True),
    column(
        "problem",
        Text,
        "Why there is no answer: refused, invalid, missing or cut short; the local rule then holds.",
        nullable=True,
    ),
    column("attempts", Integer, "How often the question was asked.", server_default=text("1")),
    column(
        "retry_at",
        TIME,
        "When it may be asked again; null if it is answered or given up.",
        nullable=True,
    ),
    column(
        "input_tokens", Integer, "Its share of the request's input tokens.", server_default=ZERO
    ),
    column(
        "output_tokens", Integer, "Its share of the request's output tokens.", server_default=ZERO
    ),
    column("created_at", TIME, "When it was last asked.", server_default=NOW),
    Index(
        "ix_model_answers_retry",
        "workspace_id",
        "retry_at",
        postgresql_where=text("retry_at is not null"),
    ),
    comment="A language model's answer about a content: an input, which a rebuild reads and never pays for again.",
)

model_batches = Table(
    "model_batches",
    metadata,
    serial_id(),
    column("provider", Text, "anthropic."),
    column("model", Text, "Model that is asked."),
    column("purpose", Text, "What is asked for: observations."),
    column("prompt_version", Integer, "Version of the prompt and of its answer's form."),
    column(
        "batch_id",
        Text,
        "The provider's id; null until it is known, so that a killed run finds the batch it submitted.",
        nullable=True,
    ),
    column("day", Date, "Day in UTC whose budget it uses."),
    column("reserved_tokens", BigInteger, "Tokens of that budget that are set aside for it."),
    column("requests", Integer, "Requests in it."),
    column("created_at", TIME, "When it was about to be submitted."),
    comment="A batch of questions whose results have not been read yet; deleted once they are.",
)

model_batch_questions = Table(
    "model_batch_questions",
    metadata,
    reference("batch", "model_batches.id", "The batch.", primary_key=True),
    column("custom_id", Text, "The request in the batch.", primary_key=True),
    column("position", Integer, "Place of the content in the request, from 0.", primary_key=True),
    workspace_id(),
    column("content_hash", KEY, "Content that is asked about."),
    reference(
        "observation_id",
        "observation_facts.id",
        "An observation with this content; null once it is gone.",
        ondelete="SET NULL",
        nullable=True,
    ),
    Index("ix_model_batch_questions_content", "workspace_id", "content_hash"),
    Index("ix_model_batch_questions_observation", "observation_id"),
    comment="A content that a submitted batch asks about: no other request asks about it meanwhile.",
)
