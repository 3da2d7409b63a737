"""`lightfast worker`: captures deliveries within a second of their arrival, until Ctrl-C."""

from __future__ import annotations

from lightfast_pipelines.cli.console import on_one_line, say
from lightfast_pipelines.cli.opening import command_database, default_embedder


def worker() -> None:
    """Capture deliveries as they arrive, until Ctrl-C.

    Runs beside Dagster and shares its work: what a worker has captured, embedded and clustered needs no
    run. If it is killed, nothing is lost. `lightfast up --worker` runs one.
    """
    from lightfast_pipelines.cli.stack.children import stop_on_signals
    from lightfast_pipelines.embedding.pgvector import PgVectorIndex
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.time_limit import TimeLimit
    from lightfast_pipelines.worker.loop import work_until_stopped
    from lightfast_pipelines.worker.shift import Work

    work = Work(
        default_embedder(),
        PgVectorIndex,
        settings().batch_rows,
        TimeLimit(batch=settings().batch_seconds),
        lambda line: say(f"worker: {on_one_line(line)}"),
    )
    with stop_on_signals() as stop, command_database() as database:
        work_until_stopped(database, work, stop)
