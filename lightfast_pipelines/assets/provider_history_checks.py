"""Whether what was read of a history is what the provider says there is, beside the asset itself."""

from collections.abc import Iterator, Sequence

import dagster as dg

from lightfast_pipelines.assets._metadata import listing
from lightfast_pipelines.assets.provider_history import ASSET
from lightfast_pipelines.store.coverage import Coverage, list_coverage
from lightfast_pipelines.store.database import Database

# Things are made and removed while they are read.
_TOLERANCE = 0.01

SPECS = [
    dg.AssetCheckSpec(
        "history_is_whole",
        asset=ASSET,
        description="What was read of each entity type is as much as the provider's own total.",
    ),
    dg.AssetCheckSpec(
        "no_history_failed",
        asset=ASSET,
        description="No entity type's latest reading failed or was left off.",
    ),
]


@dg.multi_asset_check(name="after_history", specs=SPECS)
def after_history(database: dg.ResourceParam[Database]) -> Iterator[dg.AssetCheckResult]:
    """Warnings: what is missing is read by the next run of the same days."""
    with database.connect("pipeline", application_name="lightfast check") as conn:
        found = list_coverage(conn)
    short = [one for one in found if is_short(one)]
    unfinished = [one for one in found if one.status not in ("completed", "running", "pending")]
    for spec, wrong in zip(SPECS, (short, unfinished), strict=True):
        yield dg.AssetCheckResult(
            passed=not wrong,
            asset_key=ASSET,
            check_name=spec.name,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"units": len(found), **listing("wrong", _shown(wrong))},
        )


def is_short(one: Coverage) -> bool:
    """Whether a finished reading saw less than the provider said there was."""
    if one.status != "completed" or one.expected is None or one.stored is None:
        return False
    return one.stored < one.expected * (1 - _TOLERANCE)


def _shown(found: Sequence[Coverage]) -> list[dict[str, object]]:
    return [
        {
            "resource": f"{one.provider} {one.resource_name or one.resource_id}",
            "entity_type": one.entity_type,
            "status": one.status,
            "expected": one.expected,
            "seen": one.stored,
            "error": one.error,
        }
        for one in found[:20]
    ]
