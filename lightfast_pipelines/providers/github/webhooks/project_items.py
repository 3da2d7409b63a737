"""`projects_v2_item`: an item on a project's board, and its fields.

The payload belongs to an organisation and names the issue only by GitHub's global id, which nothing
else uses: so the subject is the item, not the issue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Filtered,
    Reading,
    StateChange,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_time,
    moment_key,
    name_of,
    needed_child,
    text,
    titled,
)
from lightfast_pipelines.providers.github import host
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.outcomes import (
    delivered,
    not_kept,
    unknown_action,
)
from lightfast_pipelines.providers.github.webhooks.transition import ItemTransition
from lightfast_pipelines.providers.statement_builder import StatementBuilder

_TRANSITIONS = {
    "created": ItemTransition("created", "Project Item Added", "created_at", "planned", 1, 12),
    "converted": ItemTransition("converted", "Project Item Converted", "updated_at", "", 0, 8),
    "edited": ItemTransition("edited", "Project Item Edited", "updated_at", "", 0, 10),
    "archived": ItemTransition(
        "archived", "Project Item Archived", "archived_at", "archived", 4, 10
    ),
    "restored": ItemTransition("restored", "Project Item Restored", "updated_at", "planned", 2, 10),
    "deleted": ItemTransition("deleted", "Project Item Removed", "updated_at", "removed", 5, 10),
}
_NOT_KEPT = frozenset({"reordered"})
RULES = (
    *delivered("projects_v2_item", "project-item", _TRANSITIONS),
    *not_kept("projects_v2_item", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no item, project or time."""
    action = text(payload, "action") or ""
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    transition = _TRANSITIONS.get(action)
    if transition is None:
        return unknown_action("projects_v2_item", action)
    item = needed_child(payload, "projects_v2_item")
    identity, board = host.identity(item), name_of(item, "project_node_id")
    if identity is None or board is None:
        raise Missing(
            "projects_v2_item.id" if identity is None else "projects_v2_item.project_node_id"
        )
    at = first_time(item, transition.time, "updated_at", "created_at")
    if at is None:
        raise Missing(f"projects_v2_item.{transition.time}")
    kind = name_of(item, "content_type") or "item"
    key = github_keys.project_item(identity)
    subject, project = (
        Thing(key, f"{kind} {identity}"),
        Thing(github_keys.project(keys.at_host(board, host.host_in(item)))),
    )
    field, value = _field(child(child(payload, "changes"), "field_value"))
    words = f"{field}: {value}" if field else kind
    is_deletion = transition.name == "deleted"
    discriminator = f"{field}@{moment_key(at)}" if field else moment_key(at)
    actor = account(payload.get("sender"))
    builder = StatementBuilder("github", subject)
    builder.refer("project", board)
    builder.mention(project)
    if not is_deletion:
        builder.relate("belongs_to", project)
    statement = builder.build(
        source_id=keys.source_id(key, transition.name, None if is_deletion else discriminator),
        source_type=f"project-item.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, words),
        content=content_of(words),
        base_significance=transition.weight,
        actor=actor,
        author=account(item.get("creator")) or actor,
        states=(
            *(
                [StateChange(subject, "status", transition.state, at, transition.rank, action)]
                if transition.state
                else []
            ),
            *([StateChange(subject, f"field:{field}", value, at, 1, action)] if field else []),
            *([deletion(subject, at)] if is_deletion else []),
        ),
        metadata={
            "itemId": str(identity),
            "projectNodeId": board,
            "contentType": kind,
            "contentNodeId": name_of(item, "content_node_id"),
            "action": transition.name,
            "field": field or None,
            "value": value if field else None,
        },
        updated_at=first_time(item, "updated_at", "created_at"),
        link_text="",
    )
    return Understood((statement,))


def _field(change: Mapping[str, Any]) -> tuple[str, str]:
    """The changed field's name and new value; both empty if none is named."""
    name = name_of(change, "field_name")
    if name is None:
        return "", ""
    new = change.get("to")
    if isinstance(new, dict):
        new = new.get("name") or new.get("title") or new.get("text")
    return name[:100], str(new)[:200] if isinstance(new, str | int | float) else "none"
