"""Events of Vercel of which nothing is remembered, and why.

What is remembered declares the module that reads it; what is not here either is parked.
"""

from __future__ import annotations

from collections.abc import Mapping

from lightfast_pipelines.providers.webhook_contract import EventRule

# type, or the beginning of types with a star after it -> why nothing of it is remembered.
_FILTERED: Mapping[str, str] = {
    "ai-gateway.*": "about billing",
    "budget.*": "about billing",
    "comment.*": "remarks on a page that is only previewed",
    "deployment-checks-completed": "told by deployment.succeeded",
    "deployment.build-requested": "told by deployment.created",
    "deployment.checkrun.*": "single checks are not remembered, their outcome is",
    "deployment.integration.*": "about another integration",
    "domain-created": "about domains",
    "domain.*": "about domains",
    "edge-config.*": "settings of the platform",
    "flag.segment*": "groups of visitors for flags",
    "function.*": "settings of the platform",
    "integration-resource.*": "about another integration",
    "marketplace.*": "about billing",
    "message.*": "remarks on a page that is only previewed",
    "project.domain*": "about domains",
    "test-webhook": "says that the webhook works",
    "thread.*": "remarks on a page that is only previewed",
}
_BEGINNINGS = tuple((key[:-1], why) for key, why in _FILTERED.items() if key.endswith("*"))
RULES = tuple(EventRule(event, None, "filtered", note=why) for event, why in _FILTERED.items())


def why_filtered(event_type: str) -> str | None:
    """The reason for which nothing of this type is remembered; None where it is not known."""
    known = _FILTERED.get(event_type)
    if known is not None:
        return known
    return next((why for start, why in _BEGINNINGS if event_type.startswith(start)), None)
