"""What waits for a person, as a list in Dagster's UI, and a warning when it waits too long."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets import GROUPS, OWNERS
from lightfast_pipelines.assets._metadata import listing
from lightfast_pipelines.inbox.waiting import WaitingForYou
from lightfast_pipelines.inbox.waiting import waiting_for_you as read_waiting
from lightfast_pipelines.store.database import Database

ASSET = dg.AssetKey("waiting_for_you")
FINGERPRINT = "fingerprint"

# Linking is a decision of a person who looks in once a week; a new event of a provider, too.
PARKED_PATIENCE = timedelta(days=7)
# A dead letter is a fault of ours: nobody has looked at it for a day.
DEAD_PATIENCE = timedelta(days=1)

_COLUMNS = {
    "deliveries": ("integer", "How many deliveries wait for the same thing."),
    "events": ("text[]", "Which events of the provider they are."),
    "oldest_at": ("timestamptz", "When the first of them was received."),
    "age": ("text", "How long that is ago."),
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
        "cause of dead letters, what a later stage has given up, or names in texts that nothing answers "
        "to. `lightfast waiting` lists it too."
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


@dg.multi_asset(name="list_what_waits", specs=[waiting_spec])
def waiting_for_you(database: dg.ResourceParam[Database]) -> dg.MaterializeResult[None]:
    """Reads the list anew."""
    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast waiting") as conn:
        found = read_waiting(conn, now=now)
    return dg.MaterializeResult(
        asset_key=ASSET,
        metadata={
            FINGERPRINT: found.fingerprint,
            "dagster/row_count": sum(
                len(rows) for rows in (found.unlinked, found.unknown, found.dead, found.stuck)
            ),
            "parked": found.deliveries["parked"],
            "dead_letters": found.deliveries["dlq"],
            "stubs_in_all": sum(one.things for one in found.stubs),
            **listing("unlinked", _with_ages(found.unlinked, now)),
            **listing("unknown", _with_ages(found.unknown, now)),
            **listing("dead", _with_ages(found.dead, now)),
            **listing("stuck", _with_ages(found.stuck, now)),
            **listing("stubs", [asdict(one) for one in found.stubs]),
        },
    )


def _with_ages(rows: Sequence[object], now: datetime) -> list[dict[str, object]]:
    shown = []
    for one in rows:
        row = asdict(one)  # type: ignore[call-overload]
        if "events" in row:
            row["events"] = ", ".join(row["events"])
        # First: the last columns of a wide table are out of sight.
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
    name="after_waiting",
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
            description=f"Nothing that a stage gave up failed first more than {age(DEAD_PATIENCE)} ago.",
        ),
    ],
)
def nothing_forgotten(database: dg.ResourceParam[Database]) -> Iterator[dg.AssetCheckResult]:
    """Warnings: nothing is lost, and only a person can settle it."""
    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast check") as conn:
        found = read_waiting(conn, now=now)
    yield from forgotten(found, now)


def forgotten(found: WaitingForYou, now: datetime) -> Iterator[dg.AssetCheckResult]:
    """The three checks over what was found."""
    for name, oldest, patience, count in (
        (
            "parked_are_looked_at",
            found.oldest["parked"],
            PARKED_PATIENCE,
            {"deliveries": found.deliveries["parked"]},
        ),
        (
            "dead_letters_are_looked_at",
            found.oldest["dlq"],
            DEAD_PATIENCE,
            {"deliveries": found.deliveries["dlq"]},
        ),
        (
            "stuck_are_looked_at",
            found.oldest_stuck,
            DEAD_PATIENCE,
            {"observations": sum(row.observations for row in found.stuck)},
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
