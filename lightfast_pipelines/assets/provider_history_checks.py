"""Checks that as much history was read as the provider says there is."""

from collections.abc import Iterator, Sequence

import dagster as dg

from lightfast_pipelines.assets._metadata import listing
from lightfast_pipelines.assets.provider_history import ASSET
from lightfast_pipelines.store.coverage import Coverage, list_coverage
from lightfast_pipelines.store.database import Database

# Entities are created and deleted while they are read.
_TOLERANCE = 0.01

SPECS = [
    dg.AssetCheckSpec(
        "history_is_whole",
        asset=ASSET,
        description="As much was read of each entity type as the provider's own total says.",
    ),
    dg.AssetCheckSpec(
        "no_history_failed",
        asset=ASSET,
        description="No entity type's latest walk failed or stopped early.",
    ),
]


@dg.multi_asset_check(name="after_history", specs=SPECS)
def after_history(database: dg.ResourceParam[Database]) -> Iterator[dg.AssetCheckResult]:
    """Warnings: what is missing is read by the next run of the same days."""
    with database.connect("pipeline", application_name="lightfast check") as conn:
        rows = list_coverage(conn)
    short_rows = [row for row in rows if is_short(row)]
    unfinished_rows = [row for row in rows if row.status not in ("completed", "running", "pending")]
    for spec, failing_rows in zip(SPECS, (short_rows, unfinished_rows), strict=True):
        yield dg.AssetCheckResult(
            passed=not failing_rows,
            asset_key=ASSET,
            check_name=spec.name,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"units": len(rows), **listing("wrong", _shown(failing_rows))},
        )


def is_short(row: Coverage) -> bool:
    """Whether a finished walk saw less than the provider said there was."""
    if row.status != "completed" or row.expected is None or row.stored is None:
        return False
    return row.stored < row.expected * (1 - _TOLERANCE)


def _shown(rows: Sequence[Coverage]) -> list[dict[str, object]]:
    return [
        {
            "resource": f"{row.provider} {row.resource_name or row.resource_id}",
            "entity_type": row.entity_type,
            "status": row.status,
            "expected": row.expected,
            "seen": row.stored,
            "error": row.error,
        }
        for row in rows[:20]
    ]
