"""Embeds significant observations by the hosted model, the newest days first, where a key turns it on.

Apart from the job `memory`, so that an outage of the service delays nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import cron_of_service, job_with_schedule
from lightfast_pipelines.partitions import first_day, range_tags, today
from lightfast_pipelines.resources.database import PENDING_TAG
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection

# Of a tick, which has a minute: half a million observations.
_EXAMINE_SECONDS = 5.0


def _due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    """Tags of a run over the newest days that wait, or why there is none."""
    from lightfast_pipelines.embedding.openai_embedder import EMBEDDER_IS_OFF, openai_embedder
    from lightfast_pipelines.store.hosted_vectors import catch_up, days_waiting, set_model
    from lightfast_pipelines.store.model_pauses import pause_in_force

    embedder = openai_embedder(settings())
    if embedder is None:
        set_model(conn, None)
        conn.commit()
        return EMBEDDER_IS_OFF
    catch_up(conn, embedder.name, seconds=_EXAMINE_SECONDS)
    if pause := pause_in_force(conn, datetime.now(UTC), embedder.provider):
        return pause.why_no_run
    days = days_waiting(conn, embedder.name, settings().run_rows)
    # A run over today takes days to come as well.
    reachable = [min(day, today()) for day in days if day >= first_day()]
    if not reachable:
        return "no observation waits for a vector of the hosted model"
    return {**range_tags(reachable), PENDING_TAG: "hosted"}


hosted_vectors, hosted_vectors_when_due = job_with_schedule(
    "hosted_vectors",
    "hosted_embeddings",
    description="Embeds significant observations by the hosted model; a run takes a bounded number.",
    max_runtime=timedelta(hours=2),
    cron=cron_of_service("* * * * *", is_on=settings().openai_api_key is not None),
    when=(
        "Every minute where a key turns the hosted model on, and only while observations wait for its "
        "vectors."
    ),
    due=_due,
)
