"""Which facts of Vercel both its webhooks and its API tell, and what of them the API cannot.

Held against the code by tests; the documentation's table is made of it.
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
"""Source types that both carry: equal source id, time, author and states for one fact."""

_NO_TIME = "the API says that it is so, not since when"
_NOT_TOLD = "not in the API's list of deployments"
_LATEST_ALONE = "the API tells the latest rolling release alone"
_TODAY_ALONE = "the API tells what is set today, not how it came about"
_OF_ANY: Mapping[str, str] = {
    "id": "the delivery's own id",
    "payload.plan": _NOT_TOLD,
    "payload.regions": _NOT_TOLD,
    "payload.alias": _NOT_TOLD,
    "payload.installationIds": "which integrations were told",
    "payload.integrations": "which integrations were told",
    "payload.deployment.meta.branchAlias": "written at a time that is not told",
    "payload.deployment.meta.lambdaRuntimeStats": "written at a time that is not told",
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
    "deployment.cleanup": {"": "a deployment that is gone is not listed"},
    "deployment.check-rerequested": {"": _NOT_TOLD},
    "deployment.checks.failed": {"": _NO_TIME},
    "deployment.checks.succeeded": {"": _NO_TIME},
    "project.rolling-release.started": {"": _LATEST_ALONE},
    "project.rolling-release.approved": {"": _LATEST_ALONE},
    "project.rolling-release.completed": {"": _LATEST_ALONE},
    "project.rolling-release.aborted": {"": _LATEST_ALONE},
    "project.env-variable.created": {"": _TODAY_ALONE},
    "project.env-variable.updated": {"": _TODAY_ALONE},
    "project.env-variable.deleted": {"": _TODAY_ALONE},
    "flag.created": {"": _TODAY_ALONE},
    "flag.updated": {"": _TODAY_ALONE},
    "flag.deleted": {"": _TODAY_ALONE},
    "alerts.triggered": {"": "no history of alerts is read"},
    "project.created": {"": "no history of projects is read"},
    "project.removed": {"": "a project that is gone is not listed"},
    "project.renamed": {"": "the API tells today's name alone"},
}
"""Event -> JSON path of the webhook's body ("" for all of it) -> why the API's history lacks it."""
