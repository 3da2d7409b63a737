"""Checks of the shares that were silently zero once: whether a feature lives, not whether a run did.

They run by a schedule of their own, so that a job that is not scheduled shows as well. The queries
and thresholds stand in `store/liveness.py`.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.liveness import THRESHOLDS, Share, ShareName, share

# Longer than the slowest schedule of what is checked takes to come round twice.
PATIENCE = timedelta(hours=2)

_CHECKED: dict[ShareName, tuple[str, str]] = {
    "clusters_have_a_summary": (
        "cluster_summaries",
        "Decided clusters of five observations or more have a summary.",
    ),
    "profiles_count": (
        "actor_profiles",
        "Accounts that took part in observations belong to somebody whose profile counts any.",
    ),
    "closing_words_fix": (
        "relationships",
        "Pull requests that say `fixes #12` have an edge of that type.",
    ),
    "deployments_end": (
        "temporal_states",
        "Deployments older than a day before their workspace's latest event have a final state.",
    ),
}


def _check(name: ShareName) -> dg.AssetChecksDefinition:
    asset, description = _CHECKED[name]

    @dg.asset_check(
        name=name,
        asset=dg.AssetKey(asset),
        description=f"{description} At least {THRESHOLDS[name]:.0%} of them.",
    )
    def check(database: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
        with database.connect("pipeline", application_name="lightfast check") as conn:
            return result(name, share(conn, name, before=datetime.now(UTC) - PATIENCE))

    return check


def result(name: ShareName, found: Share) -> dg.AssetCheckResult:
    """The share against its threshold, with both numbers it is made of."""
    value = {"share": round(found.value, 4)} if found.value is not None else {}
    note = {} if found.whole else {"note": "nothing to be counted yet"}
    return dg.AssetCheckResult(
        passed=found.reaches(THRESHOLDS[name]),
        asset_key=_CHECKED[name][0],
        check_name=name,
        metadata={
            **value,
            "threshold": THRESHOLDS[name],
            "part": found.part,
            "whole": found.whole,
            **note,
            **({"examples": ", ".join(found.examples)} if found.examples else {}),
        },
    )


CHECKS = [_check(name) for name in _CHECKED]
