"""Makes the vectors of clusters, people and entities again where they changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import job_with_schedule
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection


def _due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.embedding.layers import layers_due
    from lightfast_pipelines.embedding.openai_embedder import openai_embedder
    from lightfast_pipelines.store.model_pauses import pause_in_force

    if layers_due(conn):
        return {}
    embedder = openai_embedder(settings())
    if embedder is not None and layers_due(conn, for_hosted=True):
        pause = pause_in_force(conn, datetime.now(UTC), embedder.provider)
        return {} if pause is None else pause.why_no_run
    return "no cluster, person or entity has changed"


layers, layers_when_due = job_with_schedule(
    "layers",
    "memory_vectors",
    description="Makes the vectors of clusters, people and entities that changed.",
    max_runtime=timedelta(hours=2),
    cron="10-59/15 * * * *",
    when="Every quarter of an hour, and only where a cluster, person or entity changed.",
    due=_due,
)
