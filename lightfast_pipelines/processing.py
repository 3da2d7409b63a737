"""Runs all stages one after the other in this process, without Dagster, until no work is pending.

Each stage finds its work in the tables and commits in batches, so if a process is killed, the next one
continues where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.capture.queue.session import SLICE_BYTES, SLICE_ROWS
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.clustering.summaries import summarize_clusters
from lightfast_pipelines.clustering.summary_questions import ask_for_summaries
from lightfast_pipelines.embedding.embedder import Embedder, EmbeddingModel, HostedEmbedder
from lightfast_pipelines.embedding.hosted_stage import embed_hosted
from lightfast_pipelines.embedding.index import HostedIndex, VectorIndex
from lightfast_pipelines.embedding.layers import make_hosted_layers, make_layers
from lightfast_pipelines.embedding.projection import project
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.inbox.pending import Backlog, waiting
from lightfast_pipelines.inbox.requeue import requeue_outdated
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.language.port import NO_LANGUAGE, Language
from lightfast_pipelines.language.stage import answer_observations
from lightfast_pipelines.people.profiles import update_profiles
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.hosted_vectors import catch_up, hosted_progress
from lightfast_pipelines.store.locks import job_lock, let_others_in
from lightfast_pipelines.store.time_limit import TimeLimit
from lightfast_pipelines.store.unreported import record_consolidation, record_days, record_whole


class StageProgress(Protocol):
    def stage(self, title: str, total: int | None = None) -> None: ...

    def advance(self, count: int) -> None: ...

    def waits(self, reason: str) -> None: ...


@dataclass(slots=True)
class ProcessReport:
    """Totals of all rounds, seconds by stage, and what is still pending: nothing if all was done."""

    waits: Backlog
    deliveries: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    """Observations that a language model was asked about."""
    answered: int = 0
    unasked: str | None = None
    """Why no language model was asked about the rest."""
    batched: int = 0
    """Contents that wait for the results of a batch."""
    embedded: int = 0
    vectors: int = 0
    assigned: int = 0
    workspaces: int = 0
    profiles: int = 0
    summaries: int = 0
    layers: int = 0
    """Vectors of clusters, people and entities."""
    indexed: int = 0
    """Things that the hosted index was sent or told to delete."""
    index_error: str | None = None
    """Why the run over the hosted index ended early; its changes wait."""
    hosted: int = 0
    """Observations embedded by the hosted model."""
    hosted_unavailable: str | None = None
    """Why the run of the hosted model ended early; its observations wait."""
    failures: int = 0
    """Failed attempts of stages, which are bounded (store/stage_failures.py)."""
    seconds: dict[str, float] = field(default_factory=dict)

    def spent(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


def what_waits(conn: Connection, model: str) -> Backlog:
    """How much is pending in each stage under the rules and the model of this process."""
    backlog = waiting(conn, model=model, cluster_rule_version=CLUSTER_RULES)
    conn.rollback()
    return backlog


def process(  # noqa: PLR0913 - what runs, and each service that a key may turn on
    database: Database,
    settings: Settings,
    embedder: Embedder,
    index_on: Callable[[Connection], VectorIndex],
    progress: StageProgress,
    *,
    hosted: HostedEmbedder | None = None,
    hosted_index: HostedIndex | None = None,
    language: Language = NO_LANGUAGE,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ProcessReport:
    """Does all pending work, including what arrives meanwhile and what newer rules make pending.

    A language model is asked as far as it can be now; what it is not asked about is no pending work.

    Waits for the lock of each stage while a run of Dagster holds it. Ends early, with the backlog in the
    report, if a whole round got nothing done.
    """
    with database.connect("pipeline", application_name="lightfast process") as conn:
        requeue_outdated(conn)
        conn.commit()
        report = ProcessReport(what_waits(conn, embedder.name))
        if _ask(conn, settings, report, progress, clock, language):
            report.waits = what_waits(conn, embedder.name)
        while report.waits.total:
            before, failures = report.waits, report.failures
            _capture(conn, settings, report, progress, clock)
            if _ask(conn, settings, report, progress, clock, language):
                _capture(conn, settings, report, progress, clock)
            _embed(conn, settings, report, progress, embedder, index_on(conn))
            _cluster(conn, settings, report, progress, clock, embedder)
            report.waits = what_waits(conn, embedder.name)
            if report.waits == before and report.failures == failures:
                break
        _describe(conn, report, progress, clock, language)
        if hosted is not None:
            _embed_hosted(conn, settings, report, progress, clock, hosted, index_on(conn))
        _make_layers(conn, report, progress, clock, embedder, hosted)
        if hosted_index is not None:
            _project(conn, report, progress, clock, hosted_index, hosted or embedder)
    return report


def _capture(
    conn: Connection,
    settings: Settings,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
) -> None:
    progress.stage("capture", report.waits.deliveries)
    kept = KeptReadings()
    with job_lock(conn, "capture", wait=True, waits=progress.waits):
        more = True
        while more:
            if report.deliveries:
                let_others_in(conn, "capture")
            captured = capture(
                conn,
                days=None,
                max_rows=SLICE_ROWS,
                max_bytes=SLICE_BYTES,
                batch_rows=settings.batch_rows,
                now=clock(),
                progress=progress.advance,
                kept=kept,
                time_limit=TimeLimit(batch=settings.batch_seconds),
            )
            report.deliveries += captured.deliveries
            report.outcomes.update(captured.outcomes)
            report.written.update(captured.written)
            report.spent("capture", captured.seconds)
            record_days(conn, "capture", captured.days)
            conn.commit()
            more = captured.more and captured.deliveries > 0


def _ask(
    conn: Connection,
    settings: Settings,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
    language: Language,
) -> bool:
    """Asks the language model, if one is on; returns whether there are answers to capture."""
    if language.model is None:
        return False
    progress.stage("language model")
    with job_lock(conn, "language", wait=True, waits=progress.waits):
        asked = answer_observations(
            conn,
            language,
            clock=clock,
            max_rows=settings.run_rows,
            progress=progress.advance,
            between=lambda: let_others_in(conn, "language"),
        )
        report.asked += asked.asked
        report.answered += asked.answered
        report.unasked = asked.stopped
        report.batched = asked.batched
        report.spent("language model", asked.seconds)
        record_whole(conn, "model_answers")
        conn.commit()
    return asked.answered + asked.cached > 0


def _embed(
    conn: Connection,
    settings: Settings,
    report: ProcessReport,
    progress: StageProgress,
    embedder: Embedder,
    index: VectorIndex,
) -> None:
    progress.stage("embeddings", what_waits(conn, embedder.name).unembedded)
    with job_lock(conn, "embeddings", wait=True, waits=progress.waits):
        while True:
            embedded = embed_pending(
                conn,
                embedder,
                index,
                max_rows=settings.run_rows,
                progress=progress.advance,
                between=lambda: let_others_in(conn, "embeddings"),
                time_limit=TimeLimit(batch=settings.batch_seconds),
            )
            report.embedded += embedded.observations
            report.vectors += embedded.vectors
            report.failures += embedded.failures
            report.spent("embeddings", embedded.seconds)
            record_days(conn, "embeddings", embedded.days)
            conn.commit()
            if not embedded.observations:
                return


def _embed_hosted(
    conn: Connection,
    settings: Settings,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
    embedder: HostedEmbedder,
    index: VectorIndex,
) -> None:
    """Comes last: nothing else needs these vectors, and the service may be away."""
    with job_lock(conn, "hosted_embeddings", wait=True, waits=progress.waits):
        catch_up(conn, embedder.name)
        waiting = hosted_progress(conn)
        progress.stage("hosted embeddings", waiting.waiting if waiting else 0)
        while report.hosted_unavailable is None:
            embedded = embed_hosted(
                conn,
                embedder,
                index,
                max_rows=settings.run_rows,
                progress=progress.advance,
                between=lambda: let_others_in(conn, "hosted_embeddings"),
                clock=clock,
            )
            report.hosted += embedded.observations
            report.hosted_unavailable = embedded.unavailable
            report.spent("hosted embeddings", embedded.seconds)
            if not embedded.observations:
                return


def _cluster(
    conn: Connection,
    settings: Settings,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
    model: EmbeddingModel,
) -> None:
    with job_lock(conn, "clusters", wait=True, waits=progress.waits):
        progress.stage("clusters")
        while True:
            assigned = assign_provisional(
                conn,
                max_rows=settings.run_rows,
                progress=progress.advance,
                between=lambda: let_others_in(conn, "clusters"),
                time_limit=TimeLimit(batch=settings.batch_seconds),
            )
            report.assigned += assigned.observations
            report.failures += assigned.failures
            report.spent("clusters", assigned.seconds)
            record_days(conn, "clusters", assigned.days)
            conn.commit()
            if not assigned.observations:
                break
    with job_lock(conn, "consolidation", wait=True, waits=progress.waits):
        progress.stage("consolidation")
        decided = consolidate(conn, model, now=clock(), progress=progress.advance)
        report.workspaces += decided.workspaces
        report.failures += decided.failures
        report.spent("consolidation", decided.seconds)
        record_consolidation(conn)
        conn.commit()


def _describe(
    conn: Connection,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
    language: Language,
) -> None:
    """Writes profiles and summaries where their evidence or members changed."""
    progress.stage("profiles")
    with job_lock(conn, "profiles", wait=True, waits=progress.waits):
        profiles = update_profiles(conn, now=clock(), progress=progress.advance)
    report.profiles += profiles.written
    report.spent("profiles", profiles.seconds)
    record_whole(conn, "actor_profiles")
    conn.commit()
    progress.stage("summaries")
    with job_lock(conn, "summaries", wait=True, waits=progress.waits):
        summaries = summarize_clusters(conn, now=clock(), progress=progress.advance)
        ask_for_summaries(conn, language, clock=clock, progress=progress.advance)
    report.summaries += summaries.written
    report.spent("summaries", summaries.seconds)
    record_whole(conn, "cluster_summaries")
    conn.commit()


def _make_layers(
    conn: Connection,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
    embedder: Embedder,
    hosted: HostedEmbedder | None,
) -> None:
    """Makes the vectors of the clusters, people and entities that changed."""
    progress.stage("layers")
    with job_lock(conn, "layers", wait=True, waits=progress.waits):
        layers = make_layers(conn, embedder, progress=progress.advance)
        if hosted is not None and report.hosted_unavailable is None:
            paid = make_hosted_layers(conn, hosted, progress=progress.advance, clock=clock)
            report.layers += sum(paid.written.values())
            report.hosted_unavailable = paid.unavailable
            report.spent("hosted layers", paid.seconds)
    report.layers += sum(layers.written.values())
    report.failures += layers.failures
    report.spent("layers", layers.seconds)
    record_whole(conn, "memory_vectors")
    conn.commit()


def _project(
    conn: Connection,
    report: ProcessReport,
    progress: StageProgress,
    clock: Callable[[], datetime],
    hosted_index: HostedIndex,
    model: EmbeddingModel,
) -> None:
    """Tells the hosted index what changed. If it is away, the changes wait, and pgvector answers."""
    progress.stage("hosted index")
    with job_lock(conn, "index", wait=True, waits=progress.waits):
        projected = project(
            conn,
            hosted_index,
            model,
            now=clock(),
            progress=progress.advance,
            between=lambda: let_others_in(conn, "index"),
        )
    report.indexed += sum(projected.sent.values()) + sum(projected.deleted.values())
    report.index_error = projected.error
    report.spent("hosted index", projected.seconds)
