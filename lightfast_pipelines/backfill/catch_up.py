"""What changed since the last covered moment, where no log of deliveries tells what was lost.

An ordinary reading of history, from where what was once read ends until now. So it also fills the time
in which the receiver was down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lightfast_pipelines.backfill.request import BackfillRequest, Hearing, Result
from lightfast_pipelines.backfill.run import run_backfill
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.backfills import Source, find_sources
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.outages import with_a_log

EVERY = timedelta(hours=1)
"""How long after the last covered moment it is worth a request."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Of one link, the entity types that were ever read whole, and from when on they are open."""

    source: Source
    entity_types: Sequence[str]
    since: datetime
    until: datetime


def windows_to_catch_up(conn: Connection, now: datetime) -> list[CatchUp]:
    """Links that nobody's log speaks for, whose covered time ended more than an hour ago."""
    logged = with_a_log(conn)
    ends = coverage.ends(conn)
    found = []
    for source in find_sources(conn):
        if not source.has_credential or source.refused or source.installation_id in logged:
            continue
        of_source = {
            kind: open_.since
            for (integration, kind), open_ in ends.items()
            if integration == source.integration_id and open_.until < now - EVERY
        }
        if of_source:
            found.append(CatchUp(source, sorted(of_source), min(of_source.values()), now))
    return found


def catch_up(
    database: Database,
    apis: Apis,
    *,
    now: datetime,
    first_day: date,
    actor: str,
    failed: Callable[[CatchUp, Exception], None],
) -> list[tuple[CatchUp, Result]]:
    """Reads each of these windows; one that fails leaves the others alone."""
    with database.connect(application_name="lightfast catch up") as conn:
        windows = windows_to_catch_up(conn, now)
    done = []
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
            result = run_backfill(database, apis, request, first_day=first_day, hearing=Hearing())
        except ValueError as error:
            failed(window, error)
            continue
        done.append((window, result))
    return done
