"""Looks at every linked repository that waits for it, and puts off what cannot be read now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import DataError

from lightfast_pipelines.documents.look import Look, LookReport
from lightfast_pipelines.documents.repository import Repository
from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.provider_api.client import CallFailedError
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.provider_api.sources import place_of
from lightfast_pipelines.providers.files_contract import discover_files
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.document_queue import QueuedLook, begin, looks_due, put_off
from lightfast_pipelines.store.documents import UnlinkedError
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.sealed import SealedError
from lightfast_pipelines.store.sources import Source, find_sources

_log = logging.getLogger(__name__)

# Reading an answer of another form than the API's; a ValueError says itself what is wrong.
_UNREADABLE = (LookupError, TypeError, AttributeError)
_FIRST_WAIT, _LONGEST_WAIT = 60.0, 6 * 3_600.0
PATIENCE_SECONDS = 300.0
"""How long a look waits for a rate limit; then it is put off, as others need the run's slot."""


class OutOfPatienceError(Exception):
    """The rate limit is used up for longer than a look waits."""


@dataclass(frozen=True, slots=True)
class DocumentRun:
    """What looks need. `actor` is who or what looks, as the activity names it."""

    database: Database
    apis: Apis
    embedder: Embedder
    actor: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


def look_at_all(run: DocumentRun, integration_id: int | None = None) -> list[LookReport]:
    """Looks once at each repository that is due; at that of one integration if it is given."""
    with run.database.connect(application_name="lightfast documents") as conn:
        due = looks_due(conn, integration_id)
        sources = {source.integration_id: source for source in find_sources(conn)}
        conn.rollback()
        reports = []
        for queued in due:
            source = sources.get(queued.integration_id)
            if source is None:
                continue
            with job_lock(conn, f"documents:{source.integration_id}", wait=False) as is_locked:
                if is_locked:
                    reports.append(_look(run, conn, source, queued))
    return reports


def _look(run: DocumentRun, conn: Connection, source: Source, queued: QueuedLook) -> LookReport:
    report = LookReport(source.name, source.workspace, queued.reason)
    files = discover_files().get(source.provider)
    # Counted before it begins: a look that ends the process must not be the first of the next run.
    begin(conn, queued, min(_FIRST_WAIT * 2.0 ** min(queued.attempts, 20), _LONGEST_WAIT))
    conn.commit()
    try:
        if files is None:
            raise ValueError(f"{source.provider} keeps no files")
        with run.apis.open(source, _patience(run.monotonic)) as api:
            repository = Repository(api, files, place_of(source))
            look = Look(
                conn, repository, source, run.embedder, report, clock=run.clock, actor=run.actor
            )
            try:
                look.run(queued)
            finally:
                report.requests = api.spent.requests
    except (CallFailedError, SealedError, OutOfPatienceError, ValueError) as error:
        retry_after = error.retry_after if isinstance(error, CallFailedError) else None
        _put_off(conn, queued, report, str(error), retry_after)
    except UnlinkedError as error:
        conn.rollback()
        report.error = str(error)
    except _UNREADABLE as error:
        _put_off(conn, queued, report, f"not of a known form: {error!r:.200}", None)
    except DataError as error:
        _put_off(conn, queued, report, f"cannot be stored: {str(error)[:200]}", None)
    return report


def _put_off(
    conn: Connection,
    queued: QueuedLook,
    report: LookReport,
    reason: str,
    retry_after: float | None,
) -> None:
    """What was written stays; the next look goes on from there."""
    conn.rollback()
    put_off(conn, queued, reason, retry_after or 0.0)
    conn.commit()
    report.error = reason
    _log.warning("documents of %s: %s", report.source, reason)


def _patience(monotonic: Callable[[], float]) -> Callable[[], None]:
    ends_at = monotonic() + PATIENCE_SECONDS

    def check() -> None:
        if monotonic() > ends_at:
            raise OutOfPatienceError(
                f"the rate limit is used up for more than {PATIENCE_SECONDS:.0f} seconds"
            )

    return check
