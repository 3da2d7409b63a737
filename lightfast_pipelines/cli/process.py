"""`lightfast process`: processes everything that waits, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import Meter, meter, print_json, show
from lightfast_pipelines.cli.opening import command_database, default_embedder
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.processing import ProcessReport
    from lightfast_pipelines.store.database import Database


def process(as_json: AsJson = False) -> None:
    """Run all stages in this process until nothing is waiting.

    Captures, embeds, consolidates, and writes profiles and summaries, without a Dagster run. Also asks
    the hosted services that a key turns on. If it is killed, nothing is lost: the next one continues.
    """
    with command_database() as database, meter("capture") as bar:
        report = process_now(database, bar)
    if as_json:
        print_json(
            {
                "deliveries": report.deliveries,
                "outcomes": dict(report.outcomes),
                "written": dict(report.written),
                "asked": report.asked,
                "answered": report.answered,
                "unasked": report.unasked,
                "batched": report.batched,
                "embedded": report.embedded,
                "vectors": report.vectors,
                "assigned": report.assigned,
                "workspaces": report.workspaces,
                "profiles": report.profiles,
                "summaries": report.summaries,
                "layers": report.layers,
                "hosted": report.hosted,
                "hosted_unavailable": report.hosted_unavailable,
                "indexed": report.indexed,
                "index_error": report.index_error,
                "seconds": {stage: round(spent, 2) for stage, spent in report.seconds.items()},
                "waits": report.waits,
            }
        )
    else:
        outcomes = ", ".join(
            f"{count:,} {status}" for status, count in sorted(report.outcomes.items())
        )
        show(
            f"{report.deliveries:,} deliveries ({outcomes or 'none waited'}): "
            f"{report.written['observations']:,} observations written, {report.embedded:,} embedded, "
            f"{report.workspaces:,} workspaces consolidated, {report.profiles:,} profiles and "
            f"{report.summaries:,} summaries written"
        )
        if report.asked:
            show(
                f"a language model answered about {report.answered:,} of {report.asked:,} observations"
            )
        if report.batched:
            show(f"{report.batched:,} contents wait for the results of a batch")
        if report.unasked:
            show(f"no language model was asked about the rest: {report.unasked}")
        spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report.seconds.items())
        if spent:
            show(f"seconds: {spent}")
        if report.hosted:
            show(f"{report.hosted:,} observations embedded by the hosted model")
        if report.hosted_unavailable:
            show(f"hosted model: {report.hosted_unavailable}; the rest waits, local vectors serve")
        if report.index_error:
            show(f"hosted index: {report.index_error}; its changes wait, pgvector answers")
    if report.waits.total:
        raise Failure(
            f"a whole round made no progress, and this is still waiting: {waiting_words(report.waits)}"
        )


def process_now(database: Database, bar: Meter) -> ProcessReport:
    from lightfast_pipelines.embedding.openai_embedder import openai_embedder
    from lightfast_pipelines.embedding.pgvector import PgVectorIndex
    from lightfast_pipelines.embedding.pinecone_index import pinecone_index
    from lightfast_pipelines.language.claude import language_of
    from lightfast_pipelines.processing import process as process_all
    from lightfast_pipelines.settings import settings

    hosted_index = pinecone_index(settings())
    try:
        return process_all(
            database,
            settings(),
            default_embedder(),
            PgVectorIndex,
            bar,
            hosted=openai_embedder(settings()),
            hosted_index=hosted_index,
            language=language_of(settings()),
        )
    finally:
        if hosted_index is not None:
            hosted_index.close()


def waiting_words(waits: object) -> str:
    """The counts that are not zero: `3 deliveries, 1 workspaces`."""
    from dataclasses import asdict

    counts = asdict(waits)  # type: ignore[call-overload]
    return ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count
    )
