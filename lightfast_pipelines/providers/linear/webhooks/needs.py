"""`CustomerNeed`: a customer asks for an issue or a project.

`customer-need.created|edited|priority-changed|moved|archived|unarchived|deleted`, each about the issue
or project that the customer asks for. Events of `Customer` itself are not about work and are not read.
"""

from __future__ import annotations

from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import Missing, child, cut, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, archived, plain, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id, number_of
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import identifier_of, issue_thing, line
from lightfast_pipelines.providers.linear.webhooks.transitions import Described, EntityKind


def _describe(event: LinearEvent) -> Described:
    data = event.data
    customer, customer_id = child(data, "customer"), linked_id(data, "customer")
    issue_id, project_id = linked_id(data, "issue"), linked_id(data, "project")
    identifier = identifier_of(child(data, "issue")) if issue_id else None
    if issue_id is not None:
        builder = LinearStatementBuilder(issue_thing(issue_id, child(data, "issue")))
        builder.refer("issue", identifier or issue_id, builder.subject.url)
    elif project_id is not None:
        project = child(data, "project")
        name = name_of(project, "name")
        builder = LinearStatementBuilder(
            Thing(linear_keys.project(project_id), name, url(project, "url"))
        )
        builder.refer("project", name or project_id, builder.subject.url)
    else:
        raise Missing("data.issueId")
    who = name_of(customer, "name")
    if customer_id is not None:
        builder.refer_to(
            "customer", Thing(linear_keys.customer(customer_id), who), who or customer_id
        )
    body = text(data, "body") or ""
    author = author_of(data, "creator")
    about = identifier or shown(builder.subject.name)
    title = f"{cut(about or 'Request', 80)}: {cut(' '.join(body[:300].split()), 60)}"
    return Described(
        linear_keys.customer_need(event.id),
        builder,
        f"{title} ({cut(who, 40)})" if who else title,
        (text(data, "body"), line("Customer", who), line("Asks for", about)),
        author,
        {
            "customerNeedId": event.id,
            "customerId": customer_id,
            "customerName": who,
            "issueId": issue_id,
            "issueIdentifier": identifier,
            "projectId": project_id,
            "commentId": name_of(data, "commentId"),
            "attachmentId": name_of(data, "attachmentId"),
            "priority": number_of(data, "priority"),
            "creatorId": author and author.source_id,
        },
    )


NEED = EntityKind(
    thing="customer-need",
    tags=("Customer Request", "Customer Request Updated", "Customer Request Removed"),
    weights=(40, 20),
    fields=(
        archived(15),
        Field("text", ("body", "bodyData"), "edited", 20),
        Field("priority", ("priority",), "priority-changed", 25, plain("priority"), shown),
        Field("issue", ("issueId", "projectId"), "moved", 25),
    ),
    describe=_describe,
)
