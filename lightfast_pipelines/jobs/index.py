"""Keeps the hosted index up to date every few minutes and compares it once a day, where a key turns it on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets.vector_index import vector_index_agrees
from lightfast_pipelines.jobs.when_due import (
    cron_of_service,
    job_with_schedule,
    schedule_when_due,
    scheduled_tags,
)
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection


def _due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.embedding.openai_embedder import openai_embedder
    from lightfast_pipelines.embedding.pinecone_index import INDEX_IS_OFF, pinecone_index
    from lightfast_pipelines.embedding.projection import changes_waiting
    from lightfast_pipelines.embedding.projection_state import forget_abandoned, read_state
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.store.model_pauses import pause_in_force

    now, index = datetime.now(UTC), pinecone_index(settings())
    if index is None:
        if forget_abandoned(conn, now):
            conn.commit()
        return INDEX_IS_OFF
    state = read_state(conn)
    if state is None or state.name != index.name:
        return {}
    if pause := pause_in_force(conn, now, index.name):
        return pause.why_no_run
    model = openai_embedder(settings()) or WordLlamaEmbedder()
    is_full = state.filled_at is not None and state.model == model.name
    if is_full and not changes_waiting(conn)[0] and not _has_gone(conn):
        return "nothing has changed since the index was updated"
    return {}


def _has_gone(conn: Connection) -> bool:
    gone = conn.execute("SELECT FROM lightfast.hosted_namespaces WHERE is_gone LIMIT 1")
    # A row without columns is an empty tuple.
    return gone.fetchone() is not None


index, index_when_due = job_with_schedule(
    "index",
    "vector_index",
    description="Sends to the hosted index what changed, and deletes there what is gone.",
    max_runtime=timedelta(hours=12),
    cron=cron_of_service("*/5 * * * *", is_on=settings().pinecone_api_key is not None),
    when="Every five minutes, and only where a key turns a hosted index on and something changed.",
    due=_due,
)

index_comparison = dg.define_asset_job(
    "index_comparison",
    selection=dg.AssetSelection.checks(vector_index_agrees),
    description="Compares the hosted index with the tables, and repairs what is missing or orphaned.",
    tags=scheduled_tags(timedelta(hours=2)),
)


def _to_compare(
    _context: dg.ScheduleEvaluationContext, conn: Connection
) -> Mapping[str, str] | str:
    from lightfast_pipelines.embedding.pinecone_index import INDEX_IS_OFF, pinecone_index
    from lightfast_pipelines.embedding.projection_comparison import workspaces_to_compare
    from lightfast_pipelines.embedding.projection_state import read_state

    if pinecone_index(settings()) is None:
        return INDEX_IS_OFF
    state = read_state(conn)
    if state is None or state.filled_at is None:
        return "the index is not filled yet"
    if not workspaces_to_compare(conn, datetime.now(UTC)):
        return "every workspace was compared within a day"
    return {}


compare_index = schedule_when_due(
    index_comparison,
    name="compare_index",
    cron="45 * * * *",
    description="Every hour, for the workspaces that were not compared within a day.",
    due=_to_compare,
)
