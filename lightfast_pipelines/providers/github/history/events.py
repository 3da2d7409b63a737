"""Issue events: who closed, merged, reopened, labeled, locked ... an issue or pull request, and when.

GitHub's list has them for both; each becomes the payload of the thing it happened to. An event that
is not here is not a fact that is remembered (subscribed, mentioned, referenced), or tells too little
of it (milestoned names no number).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lightfast_pipelines.providers.fields import child, children, time
from lightfast_pipelines.providers.github.history.listing import Item, Listing, kept, needed_time
from lightfast_pipelines.providers.github.history.place import repository
from lightfast_pipelines.providers.history import Place, Record

_Change = Mapping[str, Any]


def _label(event: Item, thing: dict[str, Any]) -> _Change | None:  # noqa: ARG001
    return {"label": event["label"]}


def _assignee(event: Item, thing: dict[str, Any]) -> _Change | None:
    """Who else was assigned then is not told: only where nobody else is can all of them be said."""
    changed = event["assignee"]
    others = [
        one for one in children(event["issue"], "assignees") if one.get("id") != changed["id"]
    ]
    if others:
        return None
    thing["assignees"] = [changed] if event["event"] == "assigned" else []
    return {"assignee": changed}


def _reviewer(event: Item, thing: dict[str, Any]) -> _Change | None:  # noqa: ARG001
    return kept(event, "requested_reviewer", "requested_team")


def _title(event: Item, thing: dict[str, Any]) -> _Change | None:
    thing["title"] = event["rename"]["to"]
    return {"changes": {"title": {"from": event["rename"]["from"]}}}


def _closed(event: Item, thing: dict[str, Any]) -> _Change | None:
    thing |= {"state": "closed", "closed_at": event["created_at"]}
    if "pull_request" not in event["issue"]:
        thing |= kept(event, "state_reason") or kept(event["issue"], "state_reason")
        return {}
    merged_at = time(child(event["issue"], "pull_request"), "merged_at")
    if merged_at == time(event, "created_at"):
        return None  # the same moment as `merged`, which says more
    thing["merged"] = False
    return {}


def _merged(event: Item, thing: dict[str, Any]) -> _Change | None:
    at = event["created_at"]
    thing |= {"state": "closed", "closed_at": at, "merged_at": at, "merged": True}
    thing |= {"merge_commit_sha": event.get("commit_id"), "merged_by": event.get("actor")}
    return {}


def _state(event: Item, thing: dict[str, Any]) -> _Change | None:
    thing["state"] = "open"
    if event["event"] == "convert_to_draft":
        thing["draft"] = True
    elif event["event"] == "ready_for_review":
        thing["draft"] = False
    return {}


def _lock(event: Item, thing: dict[str, Any]) -> _Change | None:
    thing["active_lock_reason"] = event.get("lock_reason")
    return {}


# Event -> (the webhook's action, what it adds to the payload and changes of the thing).
_EVENTS: Mapping[str, tuple[str, Callable[[Item, dict[str, Any]], _Change | None]]] = {
    "closed": ("closed", _closed),
    "merged": ("closed", _merged),
    "reopened": ("reopened", _state),
    "ready_for_review": ("ready_for_review", _state),
    "convert_to_draft": ("converted_to_draft", _state),
    "labeled": ("labeled", _label),
    "unlabeled": ("unlabeled", _label),
    "assigned": ("assigned", _assignee),
    "unassigned": ("unassigned", _assignee),
    "review_requested": ("review_requested", _reviewer),
    "review_request_removed": ("review_request_removed", _reviewer),
    "renamed": ("edited", _title),
    "locked": ("locked", _lock),
    "unlocked": ("unlocked", _lock),
}


def records(place: Place, item: Item) -> Iterator[Record]:
    found = _EVENTS.get(item["event"])
    issue = child(item, "issue")
    if found is None or not issue:
        return
    action, change = found
    at = item["created_at"]
    thing = {
        **kept(issue, "id", "number", "title", "body", "html_url", "user", "created_at"),
        "updated_at": at,
    }
    more = change(item, thing)
    if more is None:
        return
    of_pull_request = "pull_request" in issue
    event_type, field = ("pull_request", "pull_request") if of_pull_request else ("issues", "issue")
    payload: dict[str, Any] = {"action": action}
    if of_pull_request:
        payload["number"] = issue["number"]
    payload |= {field: thing, **more, "repository": repository(place)}
    doer = item.get("assigner") or item.get("review_requester") or item.get("actor")
    if doer is not None:
        payload["sender"] = doer
    yield Record(
        event_type, payload, needed_time(item, "created_at"), f"backfill:issue-event:{item['id']}"
    )


WALKER = Listing("issue_event", "issues/events", lambda _: {}, records, ordered_by="created_at")
