"""Small changes of an issue, pull request or discussion: labels, people, milestones, texts, commits.

Each matters little, but they name people, update titles and add relations. The item's own text is
searched for references only if it was edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Filtered,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    LONGEST_LINK_TEXT,
    Missing,
    child,
    children,
    content_of,
    first_time,
    moment_key,
    name_of,
    needed_child,
    text,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.changed_item import (
    Action,
    ChangedItem,
    ItemChange,
)
from lightfast_pipelines.providers.github.webhooks.item_kinds import ItemKind
from lightfast_pipelines.providers.github.webhooks.planned_changes import (
    field_change,
    queue_change,
    type_change,
)
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule


def _label(item: ChangedItem) -> ItemChange:
    label = child(item.payload, "label")
    name = name_of(label, "name")
    if name is None:
        return ItemChange(None, "names no label")
    item.builder.add_label(name)
    return ItemChange(name, f"Label: {name}", facts={"label": name})


def _assignee(item: ChangedItem) -> ItemChange:
    """The state lists the accounts of all current assignees; their names are in the metadata."""
    changed = child(item.payload, "assignee")
    assignee = account(changed)
    if assignee is None:
        return ItemChange(None, "names no assignee")
    item.builder.add_people("assignee", [changed])
    people = [a for each in children(item.value, "assignees") if (a := account(each)) is not None]
    value = ", ".join(sorted(keys.user("github", person.source_id) for person in people))
    names = sorted(person.username or person.source_id for person in people)
    # Several changes at one moment: the last assignment lists the most people, the last removal the fewest.
    is_removal = text(item.payload, "action") == "unassigned"
    state = StateChange(
        item.builder.subject,
        "assignee",
        value[:500] or "nobody",
        item.at,
        rank=100 - len(names) if is_removal else len(names),
        reason=text(item.payload, "action"),
        metadata={"names": names},
    )
    name = assignee.username or assignee.source_id
    return ItemChange(assignee.source_id, f"Assignee: {name}", [state], {"assignee": name})


def _milestone(item: ChangedItem) -> ItemChange:
    is_set = text(item.payload, "action") == "milestoned"
    milestone = child(item.payload, "milestone") or child(item.value, "milestone")
    number = whole(milestone, "number")
    if number is None:
        return ItemChange(None, "names no milestone")
    title = text(milestone, "title") or f"#{number}"
    key = github_keys.milestone(item.builder.repository.id, number)
    thing = Thing(key, title[:200], url(milestone))
    if is_set:
        item.builder.relate("belongs_to", thing, "milestone")
    else:
        item.builder.mention(thing, "milestone")
    state = StateChange(
        item.builder.subject,
        "milestone",
        key if is_set else "none",
        item.at,
        reason=text(item.payload, "action"),
        metadata={"title": title[:200]},
    )
    return ItemChange(str(number), f"Milestone: {title}", [state], {"milestone": title[:200]})


def _review_request(item: ChangedItem) -> ItemChange:
    """A request to a person, or to a team, which has no account."""
    requested = child(item.payload, "requested_reviewer")
    reviewer = account(requested)
    if reviewer is not None:
        item.builder.add_people("reviewer", [requested])
        name = reviewer.username or reviewer.source_id
        return ItemChange(reviewer.source_id, f"Reviewer: {name}", facts={"reviewer": name})
    team = name_of(child(item.payload, "requested_team"), "slug")
    if team is None:
        return ItemChange(None, "names no reviewer")
    return ItemChange(f"team:{team}", f"Reviewer: team {team}", facts={"team": team})


def _synchronized(item: ChangedItem) -> ItemChange:
    """New commits were pushed: the pull request contains another commit now."""
    before, after = name_of(item.payload, "before"), name_of(item.payload, "after")
    sha = after or name_of(child(item.value, "head"), "sha")
    if sha is None:
        return ItemChange(None, "names no commit")
    item.builder.add_head(item.value)
    return ItemChange(sha, f"Head: {sha}", facts={"beforeSha": before, "headSha": sha})


def _edited(item: ChangedItem) -> ItemChange:
    """A new title becomes the item's name; a new text is searched for references."""
    changes = child(item.payload, "changes")
    title, body = child(changes, "title"), child(changes, "body")
    base = name_of(child(child(changes, "base"), "ref"), "from")
    if not (title or body or "body" in changes or base):
        return ItemChange(None, "changes neither title nor text")
    old_title = text(title, "from")
    # The old title is left out of the text: the new one may not refer to the same things.
    texts = [text(item.value, "title"), text(item.value, "body") if "body" in changes else None]
    fields = sorted(name for name in ("title", "body", "base") if name in changes)
    facts = {"changed": fields, "titleWas": old_title and old_title[:500], "baseWas": base}
    edited = "body" in changes or bool(title)
    words = f"Edited: {', '.join(fields)}"
    return ItemChange("", words, facts=facts, more=tuple(texts), edited=edited)


def _category(item: ChangedItem) -> ItemChange:
    was = name_of(child(child(child(item.payload, "changes"), "category"), "from"), "name")
    now = name_of(child(item.value, "category"), "name")
    if now is None:
        return ItemChange(None, "names no category")
    item.builder.refer("label", now)
    return ItemChange(now, f"Category: {now}", facts={"category": now, "categoryWas": was})


def _locked(item: ChangedItem) -> ItemChange:
    reason = name_of(item.value, "active_lock_reason")
    return ItemChange("", f"Reason: {reason}" if reason else "", facts={"lockReason": reason})


_LABELS = {
    "labeled": Action("labeled", "Labeled", 10, _label),
    "unlabeled": Action("unlabeled", "Unlabeled", 8, _label),
}
_LOCKS = {
    "locked": Action("locked", "Locked", 5, _locked),
    "unlocked": Action("unlocked", "Unlocked", 5, _locked),
}
_TEXT = {"edited": Action("edited", "Edited", 12, _edited)}
_PEOPLE = {
    "assigned": Action("assigned", "Assigned", 15, _assignee),
    "unassigned": Action("unassigned", "Unassigned", 10, _assignee),
    "milestoned": Action("milestoned", "Milestoned", 15, _milestone),
    "demilestoned": Action("demilestoned", "Demilestoned", 10, _milestone),
}
_REVIEW = {
    "review_requested": Action("review-requested", "Review Requested", 20, _review_request),
    "review_request_removed": Action(
        "review-request-removed", "Review Request Removed", 8, _review_request
    ),
    "synchronize": Action("synchronized", "Synchronized", 8, _synchronized),
}
_KINDS = {
    "typed": Action("typed", "Typed", 10, type_change),
    "untyped": Action("untyped", "Untyped", 8, type_change),
    "field_added": Action("field-set", "Field Set", 10, field_change),
    "field_removed": Action("field-removed", "Field Removed", 8, field_change),
}
_QUEUE = {
    "enqueued": Action("enqueued", "Queued to Merge", 15, queue_change),
    "dequeued": Action("dequeued", "Left the Merge Queue", 20, queue_change),
}
_ACTIONS: Mapping[str, Mapping[str, Action]] = {
    "issues": {**_LABELS, **_LOCKS, **_TEXT, **_PEOPLE, **_KINDS},
    "pull_request": {**_LABELS, **_LOCKS, **_TEXT, **_PEOPLE, **_REVIEW, **_QUEUE},
    "discussion": {
        **_LABELS,
        **_LOCKS,
        **_TEXT,
        "category_changed": Action("category-changed", "Category Changed", 10, _category),
    },
}


def is_change(kind: ItemKind, action: str | None) -> bool:
    return action in _ACTIONS[kind.event]


def rules(*kinds: ItemKind) -> tuple[EventRule, ...]:
    """The rules of an event's item kinds; `issues` has two, as an issue may be a pull request."""
    return tuple(
        EventRule(
            kinds[0].event,
            action,
            "delivered",
            tuple(f"{kind.thing}.{each.name}" for kind in kinds),
        )
        for action, each in sorted(_ACTIONS[kinds[0].event].items())
    )


def read(kind: ItemKind, payload: Mapping[str, Any]) -> Reading:
    """Reads an action for which `is_change` holds. Raises Missing."""
    action = _ACTIONS[kind.event][text(payload, "action") or ""]
    value = needed_child(payload, kind.field)
    repository = repository_of(payload)
    number, entity = kind.entity(repository, value)
    at = first_time(value, "updated_at", "created_at")
    if at is None:
        raise Missing(f"{kind.field}.updated_at")
    builder = GitHubStatementBuilder(repository, entity)
    builder.refer(kind.reference, f"#{number}", entity.url)
    item = ChangedItem(kind, payload, value, builder, at)
    change = action.read(item)
    if change.which is None:
        return Filtered(f"action {text(payload, 'action')} {change.words}")
    if action.name != "demilestoned":  # old payloads still show the milestone that was taken away
        builder.add_place(value)
    return Understood((_statement(item, action, change, number),))


def _statement(item: ChangedItem, action: Action, change: ItemChange, number: int) -> Statement:
    kind, builder, author = item.kind, item.builder, account(item.value.get("user"))
    title = text(item.value, "title") or ""
    builder.add_account("subject_author", author)
    which = f"{change.which}@{moment_key(item.at)}" if change.which else moment_key(item.at)
    return builder.build(
        source_id=keys.source_id(builder.subject.key, action.name, which),
        source_type=f"{kind.thing}.{action.name}",
        occurred_at=item.at,
        title=titled(f"{kind.tag} {action.tag}", title),
        content=content_of(change.words, *change.more),
        base_significance=action.weight,
        actor=account(item.payload.get("sender")),
        author=author,
        states=tuple(change.states),
        metadata={"number": number, "action": text(item.payload, "action"), **change.facts},
        updated_at=item.at,
        link_text=_link_text(item, change, title),
    )


def _link_text(item: ChangedItem, change: ItemChange, title: str) -> str | None:
    """Closing words count only in a pull request; a text that was not edited is not searched again."""
    if not change.edited:
        return ""
    if item.kind.reference != "pr":
        return None
    return f"{title}\n{text(item.value, 'body') or ''}"[:LONGEST_LINK_TEXT]
