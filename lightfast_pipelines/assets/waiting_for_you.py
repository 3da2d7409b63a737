"""What waits for a person to act, listed in Dagster's UI, with a warning when it waits too long."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from lightfast_pipelines.assets._groups import GROUPS, OWNERS
from lightfast_pipelines.assets._metadata import listing
from lightfast_pipelines.store.database import Database

if TYPE_CHECKING:
    from lightfast_pipelines.inbox.waiting import WaitingForYou

ASSET = dg.AssetKey("waiting_for_you")
FINGERPRINT = "fingerprint"

# Linking a resource, or supporting a new event, needs a person, who may look once a week.
PARKED_PATIENCE = timedelta(days=7)
# A dead letter is a fault of the code, which somebody should look at within a day.
DEAD_PATIENCE = timedelta(days=1)

_COLUMNS = {
    "deliveries": ("integer", "How many deliveries wait for the same thing."),
    "events": ("text[]", "Which of the provider's events they are."),
    "oldest_at": ("timestamptz", "When the first of them was received."),
    "age": ("text", "How long ago that was."),
    "reason": ("text", "What it waits for: the resource, the shape, or the cause of death."),
    "command": ("text", "The command that settles it."),
}

waiting_spec = dg.AssetSpec(
    ASSET,
    group_name=GROUPS["waiting_for_you"],
    owners=[OWNERS[GROUPS["waiting_for_you"]]],
    kinds={"postgres", "python"},
    deps=["observations"],
    description=(
        "One row: something that waits for you. A resource to link, a shape that is not known, the "
        "cause of dead letters, what a later stage has given up, identities that may be one person, "
        "or names in texts that nothing answers to. `lightfast waiting` lists it too."
    ),
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name, kind, description=meaning)
                for name, (kind, meaning) in _COLUMNS.items()
            ]
        )
    },
)


@dg.multi_asset(specs=[waiting_spec])
def waiting_for_you(database: dg.ResourceParam[Database]) -> dg.MaterializeResult[None]:
    """One row: something that only a person can settle."""
    from lightfast_pipelines.inbox.waiting import waiting_for_you as read_waiting

    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast waiting") as conn:
        waiting = read_waiting(conn, now=now)
    return dg.MaterializeResult(
        asset_key=ASSET,
        metadata={
            FINGERPRINT: waiting.fingerprint,
            "dagster/row_count": sum(
                len(rows)
                for rows in (
                    *(waiting.unlinked, waiting.unknown, waiting.dead, waiting.stuck),
                    waiting.doubtful,
                )
            ),
            "parked": waiting.deliveries["parked"],
            "dead_letters": waiting.deliveries["dlq"],
            "stubs_in_all": sum(stub.things for stub in waiting.stubs),
            **listing("unlinked", _with_ages(waiting.unlinked, now)),
            **listing("unknown", _with_ages(waiting.unknown, now)),
            **listing("dead", _with_ages(waiting.dead, now)),
            **listing("stuck", _with_ages(waiting.stuck, now)),
            **listing("doubtful", [asdict(pairs) for pairs in waiting.doubtful]),
            **listing("stubs", [asdict(stub) for stub in waiting.stubs]),
        },
    )


def _with_ages(rows: Sequence[object], now: datetime) -> list[dict[str, object]]:
    shown = []
    for waiting_row in rows:
        row = asdict(waiting_row)  # type: ignore[call-overload]
        if "events" in row:
            row["events"] = ", ".join(row["events"])
        # The command comes first, as the last columns of a wide table are out of sight.
        command = {"command": row.pop("command")} if "command" in row else {}
        shown.append({**command, **row, "age": age(now - row["oldest_at"])})
    return shown


def age(passed: timedelta) -> str:
    """`3 days`, `5 hours`, `12 minutes`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(passed.total_seconds()) // length
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "under a minute"


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "parked_are_looked_at",
            asset=ASSET,
            description=f"Nothing is parked for more than {PARKED_PATIENCE.days} days.",
        ),
        dg.AssetCheckSpec(
            "dead_letters_are_looked_at",
            asset=ASSET,
            description=f"No dead letter is older than {age(DEAD_PATIENCE)}.",
        ),
        dg.AssetCheckSpec(
            "stuck_are_looked_at",
            asset=ASSET,
            description=f"Nothing that a stage gave up first failed more than {age(DEAD_PATIENCE)} ago.",
        ),
    ],
)
def after_waiting(database: dg.ResourceParam[Database]) -> Iterator[dg.AssetCheckResult]:
    """Warns only, as nothing is lost and no later run can settle it."""
    from lightfast_pipelines.inbox.waiting import waiting_for_you as read_waiting

    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast check") as conn:
        waiting = read_waiting(conn, now=now)
    yield from forgotten(waiting, now)


def forgotten(waiting: "WaitingForYou", now: datetime) -> Iterator[dg.AssetCheckResult]:
    """The results of the three checks."""
    for name, oldest, patience, count in (
        (
            "parked_are_looked_at",
            waiting.oldest["parked"],
            PARKED_PATIENCE,
            {"deliveries": waiting.deliveries["parked"]},
        ),
        (
            "dead_letters_are_looked_at",
            waiting.oldest["dlq"],
            DEAD_PATIENCE,
            {"deliveries": waiting.deliveries["dlq"]},
        ),
        (
            "stuck_are_looked_at",
            waiting.oldest_stuck,
            DEAD_PATIENCE,
            {"observations": sum(row.observations for row in waiting.stuck)},
        ),
    ):
        yield dg.AssetCheckResult(
            passed=oldest is None or now - oldest <= patience,
            asset_key=ASSET,
            check_name=name,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                **count,
                "patience": age(patience),
                **({"oldest": age(now - oldest), "see": "lightfast waiting"} if oldest else {}),
            },
        )
