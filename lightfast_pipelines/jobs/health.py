"""Looks every ten minutes whether the pipeline is within its limits, and reports what is not.

The tick itself measures and keeps the breaches. It asks for a run, whose asset has the plots, once a day and
whenever a breach begins or ends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets.pipeline_health import ASSET
from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags
from lightfast_pipelines.store.database import Connection, Database

_log = logging.getLogger(__name__)

health = dg.define_asset_job(
    "health",
    selection=dg.AssetSelection.assets(ASSET),
    description="Keeps the day's figures of lag, load and size, plots them, and checks their limits.",
    tags=scheduled_tags(timedelta(minutes=10)),
)


def _due(context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.domain.health import beyond_limits
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.inbox.health import measure_health
    from lightfast_pipelines.store.breaches import follow_breaches
    from lightfast_pipelines.store.health import is_recorded

    now = datetime.now(UTC)
    database: Database = context.resources.database
    figures = measure_health(database, conn, model=WordLlamaEmbedder().name, now=now)
    changes = follow_breaches(conn, beyond_limits(figures), now)
    conn.commit()
    for breach in changes.opened:
        _log.warning(
            "%s: %.0f, limit %.0f (%s)", breach.what, breach.value, breach.limit, breach.kind
        )
    for kind in changes.closed:
        _log.warning("%s is within its limit again", kind)
    if changes or not is_recorded(conn, now):
        return {}
    return "today's figures are kept, and no breach has begun or ended"


health_when_due = schedule_when_due(
    health,
    name="health_when_due",
    cron="*/10 * * * *",
    description="Every ten minutes where a breach begins or ends, and once a day.",
    due=_due,
)
