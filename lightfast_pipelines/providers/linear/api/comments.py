"""Walks comments: that one was made, its last edit, and that its thread was resolved.

Linear keeps a comment's text as it is now: who reads it of an edited comment reads it of the edit.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.api_contract import Json, LinkedResource, Record, Window
from lightfast_pipelines.providers.fields import name_of, time
from lightfast_pipelines.providers.linear.api import queries
from lightfast_pipelines.providers.linear.api.listing import ListWalker
from lightfast_pipelines.providers.linear.api.queries import moment
from lightfast_pipelines.providers.linear.api.records import (
    BOT,
    OUTSIDER,
    PERSON,
    Teller,
    linked,
    needed_id,
    needed_time,
    same_change,
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
"""Where a comment's filter names the team or the project that it is of."""


def _where(place: LinkedResource, window: Window) -> Sequence[Json | None]:
    return (
        queries.of_place(place, *PATHS),
        queries.changed_since(window, "updatedAt"),
    )


def _records(item: Json, organization: str) -> Sequence[Record]:
    made, edited = needed_time(item, "createdAt"), time(item, "editedAt")
    base: Json = {"id": needed_id(item), "createdAt": item["createdAt"]}
    linked(base, item, "user", "externalUser", "parent", "project", "issue", "projectUpdate")
    for name in ("issue", "projectUpdate"):
        about = base.get(name, {})
        linked(about, about, *(each for each in ("team", "project") if each in about))
    if isinstance(item.get("botActor"), dict):
        base["botActor"] = item["botActor"]
    teller, text = Teller("Comment", organization, name_of(item, "url")), item.get("body")
    resolved = time(item, "resolvedAt")
    first: Json = {**base, "updatedAt": moment(made)}
    if edited is None:
        first["body"] = text
    found = [teller.told("create", first, made, "created")]
    if edited is not None:
        at = same_change(item, edited)
        data: Json = {**base, "updatedAt": moment(at), "editedAt": item["editedAt"], "body": text}
        if resolved is not None and resolved <= edited:
            data["resolvedAt"] = item["resolvedAt"]
        changed: Json = {"body": None}
        fact = f"edited:{moment(at)}"
        found.append(teller.told("update", data, at, fact, updated_from=changed))
    if resolved is not None:
        data = {**base, "updatedAt": moment(resolved), "resolvedAt": item["resolvedAt"]}
        if edited is None or edited <= resolved:
            data |= {"body": text, "editedAt": item.get("editedAt")}
        person = item.get("resolvingUser")
        actor = {"type": "user", **person} if isinstance(person, dict) else None
        changed = {"resolvedAt": None}
        fact = f"resolved:{moment(resolved)}"
        found.append(teller.told("update", data, resolved, fact, actor=actor, updated_from=changed))
    return found


COMMENTS = ListWalker(
    "comment", 50, "comments", "CommentFilter", _SELECTION, where=_where, records=_records
)
