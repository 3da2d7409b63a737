"""`Document`: `document.created|title-changed|content-changed|archived|unarchived|deleted|restored`."""

from __future__ import annotations

from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, archived, shown, trashed
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.transitions import Described, EntityKind


def _describe(event: LinearEvent) -> Described:
    data = event.data
    title = name_of(data, "title") or ""
    address = event.url or url(data, "url")
    subject = Thing(linear_keys.document(event.id), title or None, address, page_names(address))
    builder = LinearStatementBuilder(subject)
    builder.refer("document", title or event.id, subject.url)
    builder.add_project(data)
    builder.add_initiative(child(data, "initiative"), linked_id(data, "initiative"))
    author = author_of(data, "creator")
    return Described(
        subject.key,
        builder,
        f"Document: {title}",
        (title, text(data, "content")),
        author,
        {
            "documentId": event.id,
            "title": title or None,
            "slugId": name_of(data, "slugId"),
            "projectId": linked_id(data, "project"),
            "initiativeId": linked_id(data, "initiative"),
            "creatorId": author and author.source_id,
            "updatedById": name_of(data, "updatedById"),
        },
    )


DOCUMENT = EntityKind(
    thing="document",
    tags=("Document Created", "Document Updated", "Document Deleted"),
    weights=(35, 25),
    fields=(
        trashed(25),
        archived(15),
        Field("title", ("title",), "title-changed", 20, was=shown),
        Field("content", ("content", "contentState"), "content-changed", 20),
    ),
    describe=_describe,
)
