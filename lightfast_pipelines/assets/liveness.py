"""Checks whether each feature is alive, by shares that would be zero if it wrote nothing.

They have a schedule of their own, so that they also notice a job that is not scheduled. The queries and
thresholds are in `store/liveness.py`.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.liveness import THRESHOLDS, Share, ShareName, share

# Longer than two intervals of the slowest schedule among the checked features.
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


def result(name: ShareName, measured: Share) -> dg.AssetCheckResult:
    """Compares the share with its threshold; the metadata has both of its numbers."""
    value = {"share": round(measured.value, 4)} if measured.value is not None else {}
    note = {} if measured.whole else {"note": "nothing to count yet"}
    return dg.AssetCheckResult(
        passed=measured.reaches(THRESHOLDS[name]),
        asset_key=_CHECKED[name][0],
        check_name=name,
        metadata={
            **value,
            "threshold": THRESHOLDS[name],
            "part": measured.part,
            "whole": measured.whole,
            **note,
            **({"examples": ", ".join(measured.examples)} if measured.examples else {}),
        },
    )


CHECKS = [_check(name) for name in _CHECKED]
