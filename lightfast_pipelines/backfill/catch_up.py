"""Reads what changed since the last covered moment, for providers without a log of deliveries.

It is an ordinary backfill of the time from there until now, so it also fills the time in which the
receiver was down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lightfast_pipelines.backfill.request import BackfillListener, BackfillRequest, BackfillResult
from lightfast_pipelines.backfill.run import run_backfill
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.outages import with_a_log
from lightfast_pipelines.store.sources import Source, find_sources

WORTH_A_REQUEST_AFTER = timedelta(hours=1)
"""How long ago coverage must have ended before a request is worth it."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The entity types of one link that were read before, and the time span to read now."""

    source: Source
    entity_types: Sequence[str]
    since: datetime
    until: datetime


def windows_to_catch_up(conn: Connection, now: datetime) -> list[CatchUp]:
    """One for each link without a log of deliveries whose coverage ended more than an hour ago."""
    installations_with_a_log = with_a_log(conn)
    covered_until = coverage.covered_until(conn)
    windows = []
    for source in find_sources(conn):
        if (
            not source.has_credential
            or source.refused
            or source.installation_id in installations_with_a_log
        ):
            continue
        since_by_type = {
            entity_type: times.since
            for (integration, entity_type), times in covered_until.items()
            if integration == source.integration_id and times.until < now - WORTH_A_REQUEST_AFTER
        }
        if since_by_type:
            since = min(since_by_type.values())
            windows.append(CatchUp(source, sorted(since_by_type), since, now))
    return windows


def catch_up(
    database: Database,
    apis: Apis,
    *,
    now: datetime,
    first_day: date,
    actor: str,
    failed: Callable[[CatchUp, Exception], None],
) -> list[tuple[CatchUp, BackfillResult]]:
    """Reads these windows. One that fails is passed to `failed` and does not stop the others."""
    with database.connect(application_name="lightfast catch up") as conn:
        windows = windows_to_catch_up(conn, now)
    results = []
    for window in windows:
        request = BackfillRequest(
            [window.source],
            window.since,
            window.until,
            entity_types=window.entity_types,
            provider=window.source.provider,
            requested_by=actor,
        )
        try:
            result = run_backfill(
                database, apis, request, first_day=first_day, listener=BackfillListener()
            )
        except ValueError as error:
            failed(window, error)
            continue
        results.append((window, result))
    return results
