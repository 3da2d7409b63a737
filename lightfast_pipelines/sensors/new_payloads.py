"""Asks for runs over the days that have work, today first.

The work itself is in the tables, so a lost tick costs ten seconds and nothing else. `choice.py` decides
what to ask for.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.inbox.pending import (
    STAGE_LOCKS,
    days_waiting_for_long,
    days_with_work,
    oldest_days,
)
from lightfast_pipelines.jobs.memory import JOB, memory
from lightfast_pipelines.partitions import first_day, range_tags
from lightfast_pipelines.resources.database import (
    LOST_TAG,
    PENDING_TAG,
    RUN_KINDS,
    captures_until,
    waiting_to_capture,
)
from lightfast_pipelines.resources.models import Embedder
from lightfast_pipelines.sensors.choice import (
    AtWork,
    Choice,
    RangeRequest,
    Turns,
    WorkerAtWork,
    choose_ranges,
)
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import (
    WORKER_CAPTURES,
    WORKER_SETTLES,
    job_locks,
    present,
)
from lightfast_pipelines.store.partition_start import move_start_back

if TYPE_CHECKING:
    from lightfast_pipelines.inbox.rule_versions import Rules

# Dagster gives a tick one minute; queries that take longer than this fail the tick instead.
TICK_QUERY_SECONDS = 20
# A run that has not begun after this time is lost or the queue is full: it no longer counts.
QUEUED_SECONDS = 60
# A worker captures within a second. If a delivery has waited for this long, runs help it.
WORKER_LATE_SECONDS = 30
_NOT_BEGUN = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
]


@dg.sensor(
    name="new_payloads",
    job=memory,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Every 10 s: asks for a run over today and yesterday if they have work, and for one over a range "
        "of older days, which begins at the oldest day of the workspace whose turn it is."
    ),
)
def new_payloads(
    context: dg.SensorEvaluationContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
) -> dg.SensorResult:
    # Runs load this module too, and need no rules for it.
    from lightfast_pipelines.inbox.rule_versions import current_rules

    now = datetime.now(UTC)
    cursor: dict[str, Any] = json.loads(context.cursor or "{}")
    with database.connect("pipeline", application_name="lightfast sensor") as conn:
        conn.execute(f"SET statement_timeout = '{TICK_QUERY_SECONDS}s'")
        rules = current_rules(embedder.name)
        choice = _choose(conn, context.instance, rules, cursor, now)
    return dg.SensorResult(
        run_requests=[_run_request(request) for request in choice.requests],
        skip_reason=None if choice.requests else _reason(choice),
        cursor=json.dumps(cursor, sort_keys=True),
    )


def _choose(
    conn: Connection,
    instance: dg.DagsterInstance,
    rules: "Rules",
    cursor: dict[str, Any],
    now: datetime,
) -> Choice:
    """What to ask for. Remembers in the cursor the rules under which no outdated work was left."""
    from lightfast_pipelines.inbox.requeue import requeue_outdated

    exactly = cursor.get("rules") != rules.name
    if exactly:
        # The rules changed: deliveries that older rules read go back into the queue, once.
        requeue_outdated(conn)
        conn.commit()
    work = days_with_work(
        conn, model=rules.model, cluster_rule_version=rules.clusters, exactly=exactly
    )
    begin_early_enough(conn, [day.day for day in work.days], first_day())
    if exactly and not any(day.unembedded or day.unclustered for day in work.days):
        cursor["rules"] = rules.name
    at_work = _at_work(conn, instance, now)
    turns = _turns(conn, cursor, now.date()) if "capture" not in at_work.held else Turns()
    choice = choose_ranges(
        work.days,
        first_day=first_day(),
        today=now.date(),
        run_rows=settings().run_rows,
        at_work=at_work,
        turns=turns,
    )
    if choice.served is not None:
        cursor["turns"] = turns.after(choice.served)
    return choice


def _turns(conn: Connection, cursor: Mapping[str, Any], today: date) -> Turns:
    """Whose older days wait. Asked only while no run captures, so no row of the queue is locked."""
    from lightfast_pipelines.capture.queue.lanes import NOT_LOOKED_AT, look

    before = today - timedelta(days=1)
    oldest = oldest_days(conn, before)
    if None in oldest:
        look(conn)
        oldest = oldest_days(conn, before)
    conn.commit()
    return Turns(
        {NOT_LOOKED_AT if lane is None else lane: day for lane, day in oldest.items()},
        {int(lane): turn for lane, turn in cursor.get("turns", {}).items()},
    )


def begin_early_enough(conn: Connection, days: Sequence[date], first: date) -> None:
    """Moves the first partition, which is `first`, back to the earliest of these days.

    A first start while the clock is ahead puts it into a future year; once the clock is right, no day
    before that would be a partition.
    """
    early = [day for day in days if day < first]
    if early:
        move_start_back(conn, max(min(early), settings().earliest_day))
        conn.commit()


def _at_work(conn: Connection, instance: dg.DagsterInstance, now: datetime) -> AtWork:
    """Asks Postgres's locks which runs are alive: after a power cut Dagster's record can stay STARTED.

    Of Dagster's own records only recent runs that have not begun count.
    """
    held, _ = job_locks(conn, STAGE_LOCKS)
    queued = instance.get_run_records(
        dg.RunsFilter(
            job_name=JOB,
            statuses=_NOT_BEGUN,
            created_after=now - timedelta(seconds=QUEUED_SECONDS),
            # A run created in the future was created while the clock was ahead, and is not recent.
            created_before=now + timedelta(seconds=QUEUED_SECONDS),
        ),
        limit=20,
    )
    failures, last = 0, None
    for record in instance.get_run_records(dg.RunsFilter(job_name=JOB), limit=20):
        tags = record.dagster_run.tags
        if PENDING_TAG not in tags or LOST_TAG in tags or not record.end_time:
            continue
        if record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            break
        failures, last = failures + 1, last or record.end_time
    return AtWork(
        held=held,
        alive=present(conn, RUN_KINDS),
        waiting_to_capture=_kinds_present(conn, waiting_to_capture),
        capturing=_kinds_present(conn, lambda kind: captures_until(kind, now.date())),
        queued=frozenset(
            record.dagster_run.tags[PENDING_TAG]
            for record in queued
            if PENDING_TAG in record.dagster_run.tags
        ),
        failures=failures,
        quiet_seconds=_seconds_since(last, now),
        worker=_worker_at_work(conn),
    )


def _kinds_present(conn: Connection, presence_of: Callable[[str], str]) -> frozenset[str]:
    """The kinds of the sensor's runs that show this presence."""
    kinds = {presence_of(kind): kind for kind in RUN_KINDS}
    return frozenset(kinds[shown] for shown in present(conn, list(kinds)))


def _worker_at_work(conn: Connection) -> WorkerAtWork:
    shown = present(conn, [WORKER_CAPTURES, WORKER_SETTLES])
    if WORKER_CAPTURES not in shown:
        return WorkerAtWork()
    late = days_waiting_for_long(conn, WORKER_LATE_SECONDS)
    return WorkerAtWork(captures=True, settles=WORKER_SETTLES in shown, late=late)


def _seconds_since(moment: float | None, now: datetime) -> float:
    """Infinite if there is none, or if it lies in the future because the clock was ahead."""
    if moment is None or moment > now.timestamp():
        return float("inf")
    return now.timestamp() - moment


def _run_request(request: RangeRequest) -> dg.RunRequest:
    return dg.RunRequest(
        # No run_key: with one, Dagster would ignore a later request for the same range.
        tags={
            **range_tags([request.first, request.last]),
            PENDING_TAG: request.kind,
            "dagster/priority": "1" if request.kind == "recent" else "0",
            "dagster/max_runtime": "1800",
        },
    )


def _reason(choice: Choice) -> str:
    if not choice.unreachable:
        return choice.reason
    first, last = min(choice.unreachable), max(choice.unreachable)
    return (
        f"{choice.reason}; {len(choice.unreachable)} days from {first} to {last} wait and are no "
        "partition yet: reload the code location, or set LIGHTFAST_PARTITIONS_START earlier if it is set"
    )
