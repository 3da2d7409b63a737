"""`IssueRelation`: `issue-relation.created|type-changed|deleted`, about the issue that it starts from.

In the API, an issue carries its relations; the backfill turns each into this event.
"""

from __future__ import annotations

from lightfast_pipelines.providers.fields import Missing, child, name_of, text
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.webhooks.changes import Field, plain, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import (
    identifier_of,
    issue_thing,
    relation_of,
)
from lightfast_pipelines.providers.linear.webhooks.transitions import Described, EntityKind

_WORDS = {"blocks": "blocks", "duplicate": "duplicates"}


def _describe(event: LinearEvent) -> Described:
    data = event.data
    issue_id, other_id = linked_id(data, "issue"), linked_id(data, "relatedIssue")
    if issue_id is None or other_id is None:
        raise Missing("data.issueId" if issue_id is None else "data.relatedIssueId")
    issue, other = child(data, "issue"), child(data, "relatedIssue")
    kind = text(data, "type") or ""
    builder = LinearStatementBuilder(issue_thing(issue_id, issue))
    thing = issue_thing(other_id, other)
    first, second = identifier_of(issue) or issue_id, identifier_of(other) or other_id
    builder.refer("issue", first, builder.subject.url)
    builder.refer("issue", second, thing.url, kind or "related")
    if event.action != "remove":
        builder.relate(relation_of(kind), thing)
    title = f"{first} {_WORDS.get(kind, 'is related to')} {second}"
    return Described(
        linear_keys.issue_relation(event.id),
        builder,
        title,
        (title,),
        None,
        {
            "relationId": event.id,
            "relationType": name_of(data, "type"),
            "issueId": issue_id,
            "issueIdentifier": identifier_of(issue),
            "relatedIssueId": other_id,
            "relatedIssueIdentifier": identifier_of(other),
        },
    )


RELATION = EntityKind(
    thing="issue-relation",
    tags=("Issues Related", "Relation Changed", "Relation Removed"),
    weights=(25, 15),
    fields=(Field("type", ("type",), "type-changed", 20, plain("type"), shown),),
    describe=_describe,
)
