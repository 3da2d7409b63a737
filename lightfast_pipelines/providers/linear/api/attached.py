"""The attachments of an issue and its relations to other issues, which are read with the issue.

Each becomes the webhook of its creation; the API keeps no history of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, Record, UnreadableItem
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.linear.api.queries import moment
from lightfast_pipelines.providers.linear.api.records import (
    PERSON,
    RecordBuilder,
    copy_links,
    is_unchanged_since,
    needed_id,
    needed_time,
    nodes,
)

_MOST = 10
_ATTACHMENT = f"""
id createdAt updatedAt title subtitle url sourceType metadata creator {{ {PERSON} }}
"""
_RELATION = "id createdAt type relatedIssue { id identifier title url }"
SELECTION = f"""
attachments(first: {_MOST}) {{ nodes {{ {_ATTACHMENT} }} pageInfo {{ hasNextPage }} }}
relations(first: {_MOST}) {{ nodes {{ {_RELATION} }} pageInfo {{ hasNextPage }} }}
"""
LISTS = ((_MOST, _ATTACHMENT), (_MOST, _RELATION))
"""The lists of SELECTION as (length, selection): for the cost."""


def records_of(issue: Mapping[str, Any], organization: str) -> Iterator[Record | UnreadableItem]:
    """Raises Missing. What did not fit is reported as unreadable rather than passed over."""
    issue_id = needed_id(issue)
    summary: Json = {name: issue.get(name) for name in ("id", "identifier", "title", "url")}
    copy_links(summary, issue, "team")
    for attachment in nodes(issue, "attachments"):
        yield _attachment(attachment, summary, organization)
    for relation in nodes(issue, "relations"):
        yield _relation(relation, summary, organization)
    for name in ("attachments", "relations"):
        if child(child(issue, name), "pageInfo").get("hasNextPage"):
            reason = f"it has more than {_MOST} {name}: the rest is not read"
            yield UnreadableItem(f"issue {issue_id}", reason)


def _attachment(item: Json, issue: Json, organization: str) -> Record:
    created_at = needed_time(item, "createdAt")
    data = _data(item, issue, created_at=moment(created_at))
    data |= {name: item.get(name) for name in ("url", "sourceType", "metadata")}
    if is_unchanged_since(item, created_at):
        data |= {name: item.get(name) for name in ("title", "subtitle")}
    copy_links(data, item, "creator")
    builder = RecordBuilder("Attachment", organization)
    return builder.record("create", data, created_at, "created")


def _relation(item: Json, issue: Json, organization: str) -> Record:
    created_at = needed_time(item, "createdAt")
    data = _data(item, issue, created_at=moment(created_at))
    data["type"] = name_of(item, "type")
    copy_links(data, item, "relatedIssue")
    builder = RecordBuilder("IssueRelation", organization)
    return builder.record("create", data, created_at, "created")


def _data(item: Json, issue: Json, *, created_at: str) -> Json:
    return {
        "id": needed_id(item),
        "createdAt": item["createdAt"],
        "updatedAt": created_at,
        "issueId": issue["id"],
        "issue": issue,
    }
