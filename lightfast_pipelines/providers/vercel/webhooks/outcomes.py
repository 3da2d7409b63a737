"""Events of Vercel that are filtered, and why. An event that no module knows is parked."""

from __future__ import annotations

from collections.abc import Mapping

from lightfast_pipelines.providers.webhook_contract import EventRule

# Type, or the start of types before a star -> why it is filtered.
_FILTERED: Mapping[str, str] = {
    "ai-gateway.*": "about billing",
    "budget.*": "about billing",
    "comment.*": "remarks on a preview of a page",
    "deployment-checks-completed": "deployment.succeeded reports it",
    "deployment.build-requested": "deployment.created reports it",
    "deployment.checkrun.*": "single checks are not kept, only their outcome",
    "deployment.integration.*": "about another integration",
    "domain-created": "about domains",
    "domain.*": "about domains",
    "edge-config.*": "settings of the platform",
    "flag.segment*": "groups of visitors for flags",
    "function.*": "settings of the platform",
    "integration-resource.*": "about another integration",
    "marketplace.*": "about billing",
    "message.*": "remarks on a preview of a page",
    "project.domain*": "about domains",
    "test-webhook": "only a test of the webhook",
    "thread.*": "remarks on a preview of a page",
}
_PREFIXES = tuple((key[:-1], why) for key, why in _FILTERED.items() if key.endswith("*"))
RULES = tuple(EventRule(event, None, "filtered", note=why) for event, why in _FILTERED.items())


def why_filtered(event_type: str) -> str | None:
    """Why this type is filtered; None for a type that is not."""
    why_prefix = (why for prefix, why in _PREFIXES if event_type.startswith(prefix))
    return _FILTERED.get(event_type) or next(why_prefix, None)
