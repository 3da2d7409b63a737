"""What a language model answered about observations; capture applies it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lightfast_pipelines.assets._metadata import counts_of_run, table_rows, table_spec
from lightfast_pipelines.assets._turn import progress_log, turn
from lightfast_pipelines.resources.language import Language
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    specs=[
        table_spec(
            "model_answers",
            description=(
                "One row: what a language model answered about a content, or why it did not. Capture "
                "applies the answers; a rebuild reads them and pays for none again."
            ),
            deps=["observations"],
            skippable=True,
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def model_answers(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    language: dg.ResourceParam[Language],
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: an answer. Asks about significant observations that have none, within the day's budget."""
    from lightfast_pipelines.language.stage import answer_observations
    from lightfast_pipelines.language.status import language_status
    from lightfast_pipelines.store.locks import let_others_in

    with turn(context, database, "language") as conn:
        if conn is None:
            return
        report = answer_observations(
            conn,
            language,
            clock=lambda: datetime.now(UTC),
            max_rows=settings().run_rows,
            progress=progress_log(context, "observations asked about"),
            between=lambda: let_others_in(conn, "language"),
        )
        rows = table_rows(conn, "model_answers")
        status = language_status(conn, language, datetime.now(UTC))
    yield dg.MaterializeResult(
        asset_key="model_answers",
        metadata={
            "dagster/row_count": rows,
            "model": status.name,
            "tokens_used_today": status.tokens_used,
            "tokens_left_today": status.tokens_left or 0,
            "fallbacks": dict(report.fallbacks),
            "stopped": report.stopped or "",
            "waiting": report.waiting,
            "in_batches": report.batched,
            **counts_of_run(report, "asked", "answered", "cached", "requests"),
        },
    )
