"""`Comment`, `Reaction` and `Attachment`: observations about the thing that they belong to, mostly an issue.

`comment.created|edited|resolved|unresolved|deleted`, `reaction.created|changed|deleted` and
`attachment.created|title-changed|address-changed|deleted`. A comment gives its thing an alias made of
the comment's id, as old payloads of reactions name nothing else. Reactions are counted by their mention
`reacted_to`, whose key is the same in payloads of every generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import Missing, child, cut, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, plain, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import identifier_of, issue_thing
from lightfast_pipelines.providers.linear.webhooks.transitions import Described, EntityKind


def parent_of(data: Mapping[str, Any], address: str | None = None) -> tuple[str, Thing] | None:
    """The thing that a comment or reaction is about, as (kind, thing); None if nothing is named.

    A comment on a project update is about the project.
    """
    issue_id = linked_id(data, "issue")
    if issue_id is not None:
        return "issue", issue_thing(issue_id, child(data, "issue"), address)
    update = child(data, "projectUpdate")
    content = child(data, "documentContent")
    for holder in (update, data, content, child(content, "document")):
        project_id = linked_id(holder, "project")
        if project_id is not None:
            project = child(holder, "project")
            thing = Thing(
                linear_keys.project(project_id), name_of(project, "name"), url(project, "url")
            )
            return "project", thing
    update_id = linked_id(data, "projectUpdate")
    if update_id is not None:
        return "project", Thing(linear_keys.project_update_by_id(update_id))
    initiative_id = linked_id(child(content, "document"), "initiative")
    if initiative_id is not None:
        return "initiative", Thing(linear_keys.initiative(initiative_id))
    update_id = linked_id(data, "initiativeUpdate")
    if update_id is not None:
        return "initiative", Thing(linear_keys.initiative_update_by_id(update_id))
    return None


def _comment(event: LinearEvent) -> Described:
    data = event.data
    key, body = linear_keys.comment(event.id), text(data, "body") or ""
    kind, thing = parent_of(data, event.url) or ("comment", Thing(key, url=event.url))
    subject = replace(thing, aliases=(*thing.aliases, linear_keys.comment_by_id(event.id)))
    builder = LinearStatementBuilder(subject)
    identifier = identifier_of(child(data, "issue"), event.url) if kind == "issue" else None
    title = text(child(data, "issue"), "title")
    shown_as = identifier or shown(subject.name)
    if kind != "comment":
        builder.refer(kind, shown_as or _id(subject), subject.url)
    author = author_of(data, "user")
    about = " - ".join(part for part in (identifier, title) if part) or shown(subject.name)
    return Described(
        key,
        builder,
        f"{cut(shown_as or kind.capitalize(), 80)}: {_excerpt(body)}",
        (text(data, "body"), f"On {kind}: {cut(about, 200)}" if about else None),
        author,
        {
            "commentId": event.id,
            "issueId": linked_id(data, "issue"),
            "issueIdentifier": identifier,
            "issueTitle": shown(title),
            "projectId": _id(subject) if kind == "project" else None,
            "projectUpdateId": linked_id(data, "projectUpdate"),
            "parentCommentId": linked_id(data, "parent"),
            "editedAt": name_of(data, "editedAt"),
            "userId": author and author.source_id,
        },
    )


def _reaction(event: LinearEvent) -> Described:
    data = event.data
    comment, comment_id = child(data, "comment"), linked_id(data, "comment")
    target = Thing(linear_keys.comment_by_id(comment_id)) if comment_id else None
    parent = parent_of(data) or parent_of(comment)
    update_id = linked_id(data, "projectUpdate")
    if target is None and update_id:
        target = Thing(linear_keys.project_update_by_id(update_id))
    if target is None and parent is not None:
        target = parent[1]
    if target is None:
        raise Missing("data.commentId")
    builder = LinearStatementBuilder(parent[1] if parent else target)
    builder.mention(target, "reacted_to")
    emoji = shown(data.get("emoji")) or "?"
    author = author_of(data, "user")
    body = text(comment, "body")
    who = (author and author.name) or "Somebody"
    return Described(
        linear_keys.reaction(event.id),
        builder,
        f":{cut(emoji, 40)}: {_excerpt(body) if body else ''}",
        (f"{who} reacted with :{cut(emoji, 40)}:", body and f"To: {cut(body, 500)}"),
        author,
        {
            "reactionId": event.id,
            "emoji": emoji,
            "commentId": comment_id,
            "issueId": linked_id(data, "issue") or linked_id(comment, "issue"),
            "projectUpdateId": update_id,
            "userId": author and author.source_id,
        },
    )


def _attachment(event: LinearEvent) -> Described:
    data = event.data
    issue_id = linked_id(data, "issue")
    if issue_id is None:
        raise Missing("data.issueId")
    builder = LinearStatementBuilder(issue_thing(issue_id, child(data, "issue")))
    builder.add_attachment(data)
    title, address = text(data, "title"), url(data, "url")
    # An address that we understand is an edge already; in the text it would be read again.
    shown_address = None if builder.edges else address
    author = author_of(data, "creator")
    return Described(
        linear_keys.attachment(event.id),
        builder,
        cut(title or address or "", 120),
        (title, text(data, "subtitle"), shown_address),
        author,
        {
            "attachmentId": event.id,
            "issueId": issue_id,
            "url": address,
            "sourceType": name_of(data, "sourceType"),
            "title": shown(title),
            "subtitle": shown(data.get("subtitle")),
            "creatorId": author and author.source_id,
        },
    )


def _excerpt(body: str) -> str:
    return cut(" ".join(body[:300].split()), 60)


def _id(thing: Thing) -> str:
    return thing.key.split(":", 2)[2]


COMMENT = EntityKind(
    thing="comment",
    tags=("Comment Added", "Comment Updated", "Comment Deleted"),
    weights=(25, 20),
    fields=(
        Field("text", ("body", "bodyData"), "edited", 20),
        Field("resolved", ("resolvedAt",), "resolved", 20, cleared="unresolved", time="resolvedAt"),
    ),
    describe=_comment,
)
REACTION = EntityKind(
    thing="reaction",
    tags=("Reaction Added", "Reaction Changed", "Reaction Removed"),
    weights=(5, 5),
    fields=(Field("emoji", ("emoji",), "changed", 5, plain("emoji"), shown),),
    describe=_reaction,
    edited_by_author=True,
)
ATTACHMENT = EntityKind(
    thing="attachment",
    tags=("Attachment Added", "Attachment Updated", "Attachment Removed"),
    weights=(20, 10),
    fields=(
        Field("title", ("title",), "title-changed", 10, was=shown),
        Field("address", ("url",), "address-changed", 15, plain("url"), shown),
    ),
    describe=_attachment,
)
