"""Walks comments: created, last edited, thread resolved.

Linear keeps only a comment's current text, so the text of an edited comment belongs to its last edit.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.api_contract import Json, Record
from lightfast_pipelines.providers.fields import name_of, time
from lightfast_pipelines.providers.linear.api.listing import ListWalker
from lightfast_pipelines.providers.linear.api.queries import (
    LinearList,
    changed_since,
    moment,
    within,
)
from lightfast_pipelines.providers.linear.api.records import (
    BOT,
    OUTSIDER,
    PERSON,
    RecordBuilder,
    copy_links,
    needed_id,
    needed_time,
    webhook_time,
)

_SELECTION = f"""
id createdAt updatedAt editedAt resolvedAt body url
user {{ {PERSON} }} externalUser {{ {OUTSIDER} }} botActor {{ {BOT} }} resolvingUser {{ {PERSON} }}
parent {{ id }} project {{ id name url }}
issue {{ id identifier title url team {{ id key name }} project {{ id name }} }}
projectUpdate {{ id project {{ id name url }} }}
"""
PATHS = (
    ("issue", "team", "id"),
    ("issue", "project", "id"),
    ("project", "id"),
    ("projectUpdate", "project", "id"),
)
"""Where a filter of comments names the team or the project."""


def _records(item: Json, organization: str) -> Sequence[Record]:
    created_at, edited_at = needed_time(item, "createdAt"), time(item, "editedAt")
    resolved_at = time(item, "resolvedAt")
    lasting: Json = {"id": needed_id(item), "createdAt": item["createdAt"]}
    copy_links(lasting, item, "user", "externalUser", "parent", "project", "issue", "projectUpdate")
    for name in ("issue", "projectUpdate"):
        about = lasting.get(name, {})
        copy_links(about, about, *(link for link in ("team", "project") if link in about))
    if isinstance(item.get("botActor"), dict):
        lasting["botActor"] = item["botActor"]
    builder = RecordBuilder("Comment", organization, name_of(item, "url"))
    text = item.get("body")
    data: Json = {**lasting, "updatedAt": moment(created_at)}
    if edited_at is None:
        data["body"] = text
    records = [builder.record("create", data, created_at, "created")]
    updated_from: Json
    if edited_at is not None:
        at = webhook_time(item, edited_at)
        data = {**lasting, "updatedAt": moment(at), "editedAt": item["editedAt"], "body": text}
        if resolved_at is not None and resolved_at <= edited_at:
            data["resolvedAt"] = item["resolvedAt"]
        fact, updated_from = f"edited:{moment(at)}", {"body": None}
        records.append(builder.record("update", data, at, fact, updated_from=updated_from))
    if resolved_at is not None:
        data = {**lasting, "updatedAt": moment(resolved_at), "resolvedAt": item["resolvedAt"]}
        if edited_at is None or edited_at <= resolved_at:
            data |= {"body": text, "editedAt": item.get("editedAt")}
        person = item.get("resolvingUser")
        actor = {"type": "user", **person} if isinstance(person, dict) else None
        fact, updated_from = f"resolved:{moment(resolved_at)}", {"resolvedAt": None}
        records.append(
            builder.record(
                "update", data, resolved_at, fact, actor=actor, updated_from=updated_from
            )
        )
    return records


_LIST = LinearList(
    "comments",
    "CommentFilter",
    lambda place, window: (within(place, *PATHS), changed_since(window, "updatedAt")),
)
COMMENTS = ListWalker("comment", 50, _LIST, _SELECTION, _records)
