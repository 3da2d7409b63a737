"""Looks at linked repositories whose documents may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from lightfast_pipelines.assets import documents as documents_asset
from lightfast_pipelines.jobs.when_due import job_with_schedule
from lightfast_pipelines.store.database import Connection


def _due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.domain.document_chunks import RULE_VERSION
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.store.document_queue import looks_due, queue_outdated

    queue_outdated(conn, WordLlamaEmbedder.name, RULE_VERSION)
    conn.commit()
    due = looks_due(conn)
    if not due:
        return "no repository with a credential waits to be looked at"
    return {"lightfast/repositories": str(len(due))}


documents, documents_when_due = job_with_schedule(
    "repository_documents",
    documents_asset.ASSET,
    description="Fetches the documents of repositories that were pushed to, and makes them searchable.",
    max_runtime=timedelta(hours=2),
    cron="*/2 * * * *",
    when="Every two minutes, and only while a repository with a credential waits to be looked at.",
    due=_due,
)
