"""Works through the pages of a stage's pending observations, isolating those that fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from lightfast_pipelines.inbox.isolation import ObservationIsolation, ObservationStage
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_pages import StagePage
from lightfast_pipelines.store.time_limit import TimeLimit


@dataclass(slots=True)
class PagesReport:
    """Observations that were done, in all and by partition day, and failed attempts."""

    observations: int = 0
    failures: int = 0
    days: dict[date, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PageBounds:
    """Limits of a run, and its callbacks: `progress` gets the number done in each page, `between` runs
    between pages."""

    page_rows: int
    max_rows: int
    progress: Callable[[int], object]
    between: Callable[[], None]
    time_limit: TimeLimit


def work_through(
    conn: Connection,
    stage: ObservationStage,
    next_page: Callable[[Connection, int], StagePage],
    do: Callable[[StagePage, Sequence[int]], None],
    report: PagesReport,
    bounds: PageBounds,
) -> None:
    """Processes pending observations within the limits, one page per transaction, and counts them.

    `do` gets a page and the ids of the observations in it that it has to process.
    """
    began = time.monotonic()
    isolation = ObservationIsolation(conn, stage, bounds.time_limit)
    while report.observations < bounds.max_rows:
        if report.observations:
            bounds.between()
        page = next_page(conn, min(bounds.page_rows, bounds.max_rows - report.observations))
        if not page:
            break

        def do_part(ids: Sequence[int], page: StagePage = page) -> None:
            do(page, ids)

        done = set(isolation.run([row[0] for row in page], do_part))
        report.observations += len(done)
        for observation, _, day, *_ in page:
            if day is not None and observation in done:
                report.days[day] = report.days.get(day, 0) + 1
        bounds.progress(len(done))
    conn.commit()
    report.observations += len(isolation.finish())
    report.failures = isolation.failures
    report.seconds = time.monotonic() - began
