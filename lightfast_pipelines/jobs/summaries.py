"""Summarizes again the clusters whose members changed, and asks the language model about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import job_with_schedule, while_workspaces_are_due
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection


def _workspaces(conn: Connection) -> int:
    from lightfast_pipelines.clustering.summaries import workspaces_due

    return workspaces_due(conn)


_due_by_rules = while_workspaces_are_due(
    _workspaces, otherwise="no clusters were decided since the summaries were written"
)


def _due(context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.clustering.summary_questions import summaries_due
    from lightfast_pipelines.domain.language_summaries import PURPOSE
    from lightfast_pipelines.language.claude import language_of
    from lightfast_pipelines.language.status import why_not_now

    tags_or_reason = _due_by_rules(context, conn)
    if not isinstance(tags_or_reason, str):
        return tags_or_reason
    now = datetime.now(UTC)
    why_not = why_not_now(conn, language_of(settings()), now, PURPOSE)
    if why_not is None and summaries_due(conn, lambda: now):
        return {}
    return tags_or_reason


summaries, summaries_when_due = job_with_schedule(
    "summaries",
    "cluster_summaries",
    description="Summarizes clusters that have no summary or a fifth of whose members changed.",
    max_runtime=timedelta(hours=1),
    cron="3-59/15 * * * *",
    when=(
        "Every quarter of an hour, and only where clusters were decided again, or a language model "
        "could summarize some."
    ),
    due=_due,
)
