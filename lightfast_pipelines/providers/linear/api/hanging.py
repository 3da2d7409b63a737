"""What hangs on an issue and comes with it: its attachments and its relations to other issues.

Each is told as the webhook of its making; the API keeps no history of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, Record, UnreadableItem
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.linear.api.queries import moment
from lightfast_pipelines.providers.linear.api.records import (
    PERSON,
    Teller,
    is_untouched,
    linked,
    needed_id,
    needed_time,
    nodes,
)

ATTACHMENTS = RELATIONS = 10
ATTACHMENT = f"""
id createdAt updatedAt title subtitle url sourceType metadata creator {{ {PERSON} }}
"""
RELATION = "id createdAt type relatedIssue { id identifier title url }"
SELECTION = f"""
attachments(first: {ATTACHMENTS}) {{ nodes {{ {ATTACHMENT} }} pageInfo {{ hasNextPage }} }}
relations(first: {RELATIONS}) {{ nodes {{ {RELATION} }} pageInfo {{ hasNextPage }} }}
"""


def hanging_on(issue: Mapping[str, Any], organization: str) -> Iterator[Record | UnreadableItem]:
    """Raises Missing. What did not fit beside the issue is said as a trouble, not passed over."""
    identity = needed_id(issue)
    about: Json = {name: issue.get(name) for name in ("id", "identifier", "title", "url")}
    linked(about, issue, "team")
    for each in nodes(issue, "attachments"):
        yield _attachment(each, about, organization)
    for each in nodes(issue, "relations"):
        yield _relation(each, about, organization)
    for name, most in (("attachments", ATTACHMENTS), ("relations", RELATIONS)):
        if child(child(issue, name), "pageInfo").get("hasNextPage"):
            yield UnreadableItem(
                f"issue {identity}", f"it has more than {most} {name}: the rest is not told"
            )


def _attachment(item: Json, about: Json, organization: str) -> Record:
    made = needed_time(item, "createdAt")
    data: Json = {"id": needed_id(item), "createdAt": item["createdAt"], "updatedAt": moment(made)}
    data |= {"url": item.get("url"), "sourceType": item.get("sourceType")}
    data["metadata"] = item.get("metadata")
    if is_untouched(item, made):
        data |= {name: item.get(name) for name in ("title", "subtitle")}
    linked(data, item, "creator")
    data |= {"issueId": about["id"], "issue": about}
    return Teller("Attachment", organization).told("create", data, made, "created")


def _relation(item: Json, about: Json, organization: str) -> Record:
    made = needed_time(item, "createdAt")
    data: Json = {"id": needed_id(item), "createdAt": item["createdAt"], "updatedAt": moment(made)}
    data["type"] = name_of(item, "type")
    data |= {"issueId": about["id"], "issue": about}
    linked(data, item, "relatedIssue")
    return Teller("IssueRelation", organization).told("create", data, made, "created")
