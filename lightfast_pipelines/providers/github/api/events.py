"""Issue events: who closed, merged, reopened, labeled, locked ... an issue or pull request, and when.

GitHub lists both kinds of events together; each becomes a payload about its issue or pull request.
Events without a function here (subscribed, mentioned, referenced) are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, children, time
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    Listing,
    kept,
    needed_time,
    nothing,
)
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import repository

# The time of an event and the time in the item itself (and so in its webhook) may differ by a second.
_APART = timedelta(seconds=2)


def _label(event: ListedItem, thing: Json) -> Json | None:  # noqa: ARG001
    return {"label": event["label"]}


def _assignee(event: ListedItem, thing: Json) -> Json | None:
    """The event does not say who else was assigned: the full list is known only if nobody else is."""
    changed = event["assignee"]
    others = [
        user for user in children(event["issue"], "assignees") if user.get("id") != changed["id"]
    ]
    if others:
        return None
    thing["assignees"] = [person(changed)] if event["event"] == "assigned" else []
    return {"assignee": person(changed)}


def _milestone(event: ListedItem, thing: Json) -> Json | None:  # noqa: ARG001
    """The event has only the milestone's title; the number is known while the item still has it."""
    milestone = child(event["issue"], "milestone")
    if not milestone or milestone.get("title") != event["milestone"]["title"]:
        return None
    return {"milestone": kept(milestone, "id", "number", "title", "html_url")}


def _reviewer(event: ListedItem, thing: Json) -> Json | None:  # noqa: ARG001
    if event.get("requested_reviewer"):
        return {"requested_reviewer": person(event["requested_reviewer"])}
    return {"requested_team": kept(event["requested_team"], "id", "slug", "name", "html_url")}


def _title(event: ListedItem, thing: Json) -> Json | None:
    thing["title"] = event["rename"]["to"]
    return {"changes": {"title": {"from": event["rename"]["from"]}}}


def _closed(event: ListedItem, thing: Json) -> Json | None:
    issue = event["issue"]
    at = _settled(event, issue, "closed_at")
    thing |= {"state": "closed", "closed_at": at, "updated_at": at}
    if "pull_request" not in issue:
        # The event leaves out the usual reason, which the issue has.
        is_last = at == issue.get("closed_at")
        reason = event.get("state_reason") or (issue.get("state_reason") if is_last else None)
        if reason:
            thing["state_reason"] = reason
        return {}
    merged_at = time(child(issue, "pull_request"), "merged_at")
    if merged_at is not None and needed_time(event, "created_at") >= merged_at - _APART:
        return None  # this is the merge, which the event `merged` reports
    thing["merged"] = False
    return {}


def _merged(event: ListedItem, thing: Json) -> Json | None:
    at = _settled(event, child(event["issue"], "pull_request"), "merged_at")
    thing |= {"state": "closed", "closed_at": at, "merged_at": at, "updated_at": at}
    thing |= {"merged": True, "merge_commit_sha": event.get("commit_id")}
    thing["merged_by"] = person(event.get("actor"))
    return {}


def _settled(event: ListedItem, item: ListedItem, field: str) -> str:
    """The item's own time of the change, if this is the item's latest event."""
    own, at = time(item, field), needed_time(event, "created_at")
    return str(item[field] if own is not None and abs(own - at) <= _APART else event["created_at"])


def _state(event: ListedItem, thing: Json) -> Json | None:
    thing["state"] = "open"
    if event["event"] != "reopened":
        thing["draft"] = event["event"] == "convert_to_draft"
    return {}


def _lock(event: ListedItem, thing: Json) -> Json | None:
    thing["active_lock_reason"] = event.get("lock_reason")
    return {}


# Event -> (the webhook's action, the function that adds to the payload and changes the item).
_EVENTS: Mapping[str, tuple[str, Callable[[ListedItem, Json], Json | None]]] = {
    "closed": ("closed", _closed),
    "merged": ("closed", _merged),
    "reopened": ("reopened", _state),
    "ready_for_review": ("ready_for_review", _state),
    "convert_to_draft": ("converted_to_draft", _state),
    "labeled": ("labeled", _label),
    "unlabeled": ("unlabeled", _label),
    "assigned": ("assigned", _assignee),
    "unassigned": ("unassigned", _assignee),
    "milestoned": ("milestoned", _milestone),
    "demilestoned": ("demilestoned", _milestone),
    "review_requested": ("review_requested", _reviewer),
    "review_request_removed": ("review_request_removed", _reviewer),
    "renamed": ("edited", _title),
    "locked": ("locked", _lock),
    "unlocked": ("unlocked", _lock),
}


def records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    issue = child(item, "issue")
    if not issue:
        return
    if item["event"] == "review_dismissed":
        yield _dismissed(place, item)
        return
    reader = _EVENTS.get(item["event"])
    if reader is None:
        return
    action, change = reader
    thing = {**_lasting(issue), "updated_at": item["created_at"]}
    more = change(item, thing)
    if more is None:
        return
    of_pull_request = "pull_request" in issue
    event_type, field = ("pull_request", "pull_request") if of_pull_request else ("issues", "issue")
    payload: dict[str, Any] = {"action": action}
    if of_pull_request:
        payload["number"] = issue["number"]
    payload |= {field: thing, **more, "repository": repository(place)}
    doer = person(item.get("assigner") or item.get("review_requester") or item.get("actor"))
    if doer is not None:
        payload["sender"] = doer
    yield Record(
        event_type, payload, needed_time(thing, "updated_at"), f"backfill:issue-event:{item['id']}"
    )


def _lasting(issue: ListedItem) -> Json:
    """The fields that hold at any time."""
    fields = kept(issue, "id", "number", "title", "body", "html_url", "created_at")
    return {**fields, "user": person(issue.get("user"))}


def _dismissed(place: LinkedResource, item: ListedItem) -> Record:
    """The event names the review only by its number; its submission says who wrote it."""
    review = item["dismissed_review"]
    payload = {
        "action": "dismissed",
        "review": {"id": review["review_id"], "state": "dismissed"},
        "pull_request": {**_lasting(item["issue"]), "updated_at": item["created_at"]},
        "repository": repository(place),
    }
    doer = person(item.get("actor"))
    if doer is not None:
        payload["sender"] = doer
    at = needed_time(item, "created_at")
    return Record("pull_request_review", payload, at, f"backfill:issue-event:{item['id']}")


WALKER = Listing(
    "issue_event", "issues/events", nothing, records, ordered_by="created_at", cut_from=30_000
)
