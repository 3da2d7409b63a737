"""The views that repeat a table's columns and add a few, and those that the pipeline reads itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import TEXTS, TIME, column, view_metadata
from lightfast_pipelines.store.tables.deliveries import raw_bodies, raw_payloads
from lightfast_pipelines.store.tables.observations import observations
from lightfast_pipelines.store.tables.view_columns import maybe, of_values


def _repeated(table: Table, *names: str) -> Iterator[Column[Any]]:
    """These columns of the table, in this order; all of them if none is named."""
    for each in [table.columns[name] for name in names] or table.columns:
        yield column(each.name, each.type, each.comment or "", nullable=bool(each.nullable))


def _of_a_delivery() -> tuple[Column[Any], ...]:
    return (
        *_repeated(raw_payloads),
        of_values(
            "status",
            "received while it waits, else the first of dlq, parked, delivered, filtered.",
            ("received", "dlq", "parked", "delivered", "filtered"),
        ),
        maybe("status_reason", Text, "Why."),
        column(
            "id_reused",
            Boolean,
            "Whether the same id came with another body, of the same secret and organisation.",
        ),
    )


deliveries = Table(
    "deliveries", view_metadata, *_of_a_delivery(), comment="A delivery with its status."
)

delivery_bodies = Table(
    "delivery_bodies",
    view_metadata,
    *_of_a_delivery(),
    *_repeated(raw_bodies, "headers", "body"),
    maybe("body_json", JSONB, "The body as JSON; null if it is not valid jsonb."),
    comment="A delivery with its body. Not readable by the analyst's role.",
)

observation_people = Table(
    "observation_people",
    view_metadata,
    column("observation_id", BigInteger, "The observation (observations.id)."),
    column("workspace_id", BigInteger, "Its workspace."),
    maybe("actor_id", Text, "Who did it (actors.id); null until it is decided who that is."),
    maybe("actor_name", Text, "Their name."),
    maybe("author_id", Text, "Whose work it is, likewise."),
    maybe("author_name", Text, "Their name."),
    comment="Who did an observation and whose work it is, as actors rather than identities.",
)

remembered = Table(
    "remembered",
    view_metadata,
    *_repeated(observations),
    comment="The observations that search finds: those whose subject or own comment is not deleted.",
)

summary_sentences = Table(
    "summary_sentences",
    view_metadata,
    column("workspace_id", BigInteger, "Workspace."),
    column("cluster_id", Text, "The cluster."),
    column("position", Integer, "Place of the sentence in the summary, from 1."),
    column("sentence", Text, "The sentence."),
    column("observations", TEXTS, "The observations that it cites (external ids)."),
    column("is_stale", Boolean, "Whether one of them is deleted now or says something else."),
    comment="A sentence of a cluster's summary with the observations it cites. It is stale once one of them "
    "is deleted, or its text changes, until the summary is written again.",
)

serving_models = Table(
    "serving_models",
    view_metadata,
    column("workspace_id", BigInteger, "Workspace."),
    column("model", Text, "The model."),
    column("is_current", Boolean, "Whether it is the model that is set now."),
    column("covered_at", TIME, "When it had embedded everything that waited."),
    comment="The hosted model whose vectors serve the searches of a workspace; the local model serves where "
    "none does.",
)
