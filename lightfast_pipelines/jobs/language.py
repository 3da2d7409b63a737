"""Asks the language model about observations that it has not answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import cron_of_service, job_with_schedule
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection


def _due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.language.claude import language_of
    from lightfast_pipelines.language.status import why_nothing_is_due

    return why_nothing_is_due(conn, language_of(settings()), datetime.now(UTC)) or {}


language, language_when_due = job_with_schedule(
    "language",
    "model_answers",
    description="Asks the language model about significant observations that it has not answered.",
    max_runtime=timedelta(hours=1),
    cron=cron_of_service("1-59/5 * * * *", is_on=settings().anthropic_api_key is not None),
    when="Every five minutes, if a model is on, is not paused, and a question is open.",
    due=_due,
)
