"""The category of an entity, which its key's beginning decides."""

from __future__ import annotations

# key prefix -> category of the entity; the longest matching prefix decides.
_CATEGORIES = {
    "github:pr": "pull_request",
    "github:issue": "issue",
    "github:commit": "commit",
    "github:branch": "branch",
    "github:tag": "tag",
    "github:release": "release",
    "github:discussion": "discussion",
    "github:repository": "repository",
    "github:deployment": "deployment",
    "github:workflow-run": "workflow_run",
    "github:milestone": "milestone",
    "github:comment": "comment",
    "github:label": "label",
    "github:review-thread": "review_thread",
    "github:alert": "security_alert",
    "github:project": "project",
    "github:project-item": "project_item",
    "github:ref": "reference",
    "vercel:deployment": "deployment",
    "vercel:project": "project",
    "vercel:ref": "reference",
    "linear:issue": "issue",
    "linear:project": "project",
    "linear:cycle": "cycle",
    "linear:team": "team",
    "linear:comment": "comment",
    "linear:milestone": "milestone",
    "linear:label": "label",
    "linear:reaction": "reaction",
    "linear:attachment": "attachment",
    "linear:project-update": "project_update",
    "linear:initiative": "initiative",
    "linear:initiative-update": "initiative_update",
    "linear:document": "document",
    "linear:release": "release",
    "linear:release-note": "release_note",
    "linear:customer": "customer",
    "linear:customer-need": "customer_need",
    "linear:issue-relation": "issue_relation",
    "linear:ref": "reference",
    "sentry:issue": "issue",
    "sentry:project": "project",
    "sentry:release": "release",
    "sentry:alert": "alert",
    "sentry:comment": "comment",
    "sentry:team": "team",
    "sentry:seer-run": "agent_run",
    "sentry:ref": "reference",
    "candidate:name": "reference",
    "candidate:branch": "reference",
    "candidate:number": "reference",
    "candidate:address": "reference",
    "observation": "observation",
    "user": "user",
    "file": "file",
    "endpoint": "endpoint",
    "error": "error",
    "config": "config",
    "service": "service",
}


def category_of(key: str) -> str:
    """The category of an entity by its key; `other` for an undeclared prefix."""
    first, _, rest = key.partition(":")
    return _CATEGORIES.get(f"{first}:{rest.partition(':')[0]}") or _CATEGORIES.get(first, "other")


def categories() -> dict[str, str]:
    """Prefix of a key -> category, for all declared prefixes."""
    return dict(_CATEGORIES)


def is_stub(key: str) -> bool:
    """Whether the key is an alias that waits for its entity."""
    return category_of(key) == "reference"


def is_candidate(key: str) -> bool:
    """Whether the key may be a name: it counts only if an entity claims it."""
    return key.startswith("candidate:")
