"""What an event of a deployment says about the live deployment of its environment.

`domain/serving.py` decides from all these facts which deployment is live. A preview only serves its own
address, so it yields no such fact.
"""

from __future__ import annotations

from lightfast_pipelines.domain import serving
from lightfast_pipelines.domain.events import ENDING_REASON, StateChange, Thing
from lightfast_pipelines.providers.fields import child, flag, name_of
from lightfast_pipelines.providers.vercel.webhooks.event import VercelEvent

_BASES = {
    "promoted": serving.PROMOTED,
    "checks-succeeded": serving.SUCCESS,
    "checks-failed": serving.WITHHELD,
    "error": serving.WITHHELD,
    "canceled": serving.WITHHELD,
    "blocked": serving.WITHHELD,
}
# These can only end a deployment's being live.
_ENDS = frozenset({"checks-failed", "error", "canceled", "blocked", "cleanup"})
_FAILED_CHECKS = frozenset({"failed", "failure", "canceled", "timed-out"})


def change(
    event: VercelEvent,
    deployment: Thing,
    transition: str,
    rank: int,
    environment: str,
    *,
    restored: Thing | None = None,
) -> StateChange | None:
    """None if the event does not concern the live deployment, or names no project."""
    if environment == "preview" and transition in _ENDS and not _names_target(event):
        # Checks and cleanups may omit the target. For a preview this changes nothing: it was never live.
        environment = "production"
    if event.project is None or environment == "preview":
        return None
    state_type = f"{serving.STATE_TYPE}:{environment}"
    live_deployment, basis = deployment, _BASES.get(transition)
    if transition == "succeeded":
        basis = _basis_of_success(event, environment)
    elif transition == "rollback" and restored is not None:
        live_deployment, basis = restored, serving.ROLLED_BACK
    elif transition in ("cleanup", "rollback"):
        return StateChange(event.project, state_type, deployment.key, event.at, 4, ENDING_REASON)
    if basis is None:
        return None
    details = {serving.BASIS: basis}
    return StateChange(
        event.project, state_type, live_deployment.key, event.at, rank, transition, metadata=details
    )


def _names_target(event: VercelEvent) -> bool:
    """Whether the event names a target; null, for a preview, counts as well."""
    return any("target" in place for place in (event.inner, child(event.inner, "deployment")))


def _basis_of_success(event: VercelEvent, environment: str) -> str:
    """Only the API states substates, since June 2023 and for production alone."""
    deployment = child(event.inner, "deployment")
    if environment == "production":
        substate = (name_of(deployment, "readySubstate") or "").upper()
        if substate == "PROMOTED":
            return serving.SERVED
        if substate in ("STAGED", "ROLLING"):
            return serving.STAGED
        assigns = (flag(deployment, "autoAssignCustomDomains"), flag(deployment, "aliasAssigned"))
        if False in assigns or name_of(deployment, "checksConclusion") in _FAILED_CHECKS:
            return serving.STAGED
    if event.type == "deployment.ready":
        return serving.BUILT
    return serving.LISTED if name_of(deployment, "readyState") else serving.SUCCESS
