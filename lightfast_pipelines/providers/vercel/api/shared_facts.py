"""Which facts Vercel states both by webhook and by API, and what the API lacks of them.

Tests compare it with the code; the tables in docs/history.md are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED: frozenset[str] = frozenset(
    {
        "deployment.created",
        "deployment.succeeded",
        "deployment.error",
        "deployment.canceled",
        "deployment.blocked",
    }
)
"""Source types that both carry: one fact has the same source id, time, author and states."""

_NO_TIME = "the API states the current status, but not since when"
_NOT_LISTED = "not in the API's list of deployments"
_LATEST_ONLY = "the API states only the latest rolling release"
_TODAY_ONLY = "the API states only the current setting"
_OF_ANY: Mapping[str, str] = {
    "id": "the delivery's own id",
    "payload.plan": _NOT_LISTED,
    "payload.regions": _NOT_LISTED,
    "payload.alias": _NOT_LISTED,
    "payload.installationIds": "which integrations were notified",
    "payload.integrations": "which integrations were notified",
    "payload.deployment.meta.branchAlias": "Vercel adds it at an unknown time",
    "payload.deployment.meta.lambdaRuntimeStats": "Vercel adds it at an unknown time",
}

ONLY_BY_WEBHOOK: Mapping[str, Mapping[str, str]] = {
    "deployment.created": _OF_ANY,
    "deployment.succeeded": _OF_ANY,
    "deployment.error": _OF_ANY,
    "deployment.canceled": {
        **_OF_ANY,
        "payload.user": "the API names who made the deployment, not who canceled it",
    },
    "deployment.blocked": {
        **_OF_ANY,
        "payload.user": "the API names who made the deployment, not who blocked it",
    },
    "deployment.promoted": {"": _NO_TIME},
    "deployment.rollback": {"": _NO_TIME},
    "deployment.cleanup": {"": "a deleted deployment is not listed"},
    "deployment.check-rerequested": {"": _NOT_LISTED},
    "deployment.checks.failed": {"": _NO_TIME},
    "deployment.checks.succeeded": {"": _NO_TIME},
    "project.rolling-release.started": {"": _LATEST_ONLY},
    "project.rolling-release.approved": {"": _LATEST_ONLY},
    "project.rolling-release.completed": {"": _LATEST_ONLY},
    "project.rolling-release.aborted": {"": _LATEST_ONLY},
    "project.env-variable.created": {"": _TODAY_ONLY},
    "project.env-variable.updated": {"": _TODAY_ONLY},
    "project.env-variable.deleted": {"": _TODAY_ONLY},
    "flag.created": {"": _TODAY_ONLY},
    "flag.updated": {"": _TODAY_ONLY},
    "flag.deleted": {"": _TODAY_ONLY},
    "alerts.triggered": {"": "the backfill does not read the history of alerts"},
    "project.created": {"": "the backfill does not read the history of projects"},
    "project.removed": {"": "a deleted project is not listed"},
    "project.renamed": {"": "the API states only the current name"},
}
"""Event -> JSON path of the webhook's body ("" for all of it) -> why the API's history lacks it."""
