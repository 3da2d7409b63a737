"""`Document`: `document.created|title-changed|content-changed|archived|unarchived|deleted|restored`."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.domain.events import Reading, Thing
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    no_states,
    rules,
)
from lightfast_pipelines.providers.linear.webhooks.transitions import read as read_kind
from lightfast_pipelines.providers.webhook_contract import EventRule


def read(event: LinearEvent) -> Reading:
    """Raises Missing where the payload has no time to speak of."""
    return read_kind(_DOCUMENT, event)


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


_DOCUMENT = EntityKind(
    thing="document",
    tags=("Document Created", "Document Updated", "Document Deleted"),
    weights=(35, 25),
    fields=(
        Field("trashed", ("trashed",), "deleted", 25, cleared="restored", time="archivedAt"),
        Field("archived", ("archivedAt",), "archived", 15, cleared="unarchived", time="archivedAt"),
        Field("title", ("title",), "title-changed", 20, was=shown),
        Field("content", ("content", "contentState"), "content-changed", 20),
    ),
    describe=_describe,
    states=no_states,
)
RULES: Sequence[EventRule] = rules("Document", _DOCUMENT)
