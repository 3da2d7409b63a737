"""Comments: on issues and pull requests, on lines of a pull request, on discussions, on commits.

A comment has no entity of its own: its subject is what it was written on, and what its text refers to
counts as a reference of that subject. Closing words mean nothing in a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Reading,
    Reference,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_line,
    first_time,
    latest,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.item_kinds import (
    DISCUSSION,
    ISSUE,
    PULL_REQUEST,
    PULL_REQUEST_AS_ISSUE,
)
from lightfast_pipelines.providers.github.webhooks.outcomes import delivered, unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import Repository, repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder

_LONGEST_TITLE = 100


@dataclass(frozen=True, slots=True)
class _CommentAction:
    name: str
    tag: str
    weight: int


_ACTIONS = {
    "created": _CommentAction("created", "Comment", 25),
    "edited": _CommentAction("edited", "Comment Edited", 12),
    "deleted": _CommentAction("deleted", "Comment Deleted", 8),
}
_THINGS = {
    "issue_comment": "comment",
    "pull_request_review_comment": "review-comment",
    "discussion_comment": "discussion-comment",
    "commit_comment": "commit-comment",
}
_KINDS = {
    "issue_comment": ISSUE,
    "pull_request_review_comment": PULL_REQUEST,
    "discussion_comment": DISCUSSION,
}
RULES = tuple(
    rule for event, thing in _THINGS.items() for rule in delivered(event, thing, _ACTIONS)
)


@dataclass(frozen=True, slots=True)
class _Place:
    """What the comment was written on; `item` is the payload's object, which a commit does not have."""

    subject: Thing
    reference: Reference
    shown: str
    item: Mapping[str, Any]
    updated_at: datetime | None


def reader(event: str) -> Callable[[Mapping[str, Any]], Reading]:
    """The reader for one of the four events; the reader raises Missing."""

    def read(payload: Mapping[str, Any]) -> Reading:
        action = _ACTIONS.get(text(payload, "action") or "")
        if action is None:
            return unknown_action(event, payload.get("action"))
        return Understood((_statement(event, payload, action),))

    return read


def _statement(event: str, payload: Mapping[str, Any], action: _CommentAction) -> Statement:
    repository, comment = repository_of(payload), needed_child(payload, "comment")
    number = identity(comment)
    if number is None:
        raise Missing("comment.id")
    place = _place(repository, event, payload, comment)
    at = _time(comment, place, action)
    if at is None:
        raise Missing("comment.created_at")
    thing = _THINGS[event]
    author, body = account(comment.get("user")), text(comment, "body") or ""
    builder = GitHubStatementBuilder(repository, place.subject)
    builder.references.append(place.reference)
    builder.add_account("subject_author", account(place.item.get("user")))
    builder.add_place(place.item)
    _add_lines(builder, comment)
    which = f"{number}@{moment_key(at)}" if action.name == "edited" else number
    is_deletion = action.name == "deleted"
    own_key = github_keys.comment(thing, number)
    return builder.build(
        source_id=keys.source_id(place.subject.key, f"{thing}.{action.name}", which),
        source_type=f"{thing}.{action.name}",
        occurred_at=at,
        title=titled(action.tag, f"{place.shown}: {first_line(body)[:_LONGEST_TITLE]}")
        if body and not is_deletion
        else titled(action.tag, place.shown),
        # Text that somebody deleted is not shown again.
        content="" if is_deletion else content_of(body),
        base_significance=action.weight,
        actor=account(payload.get("sender")),
        author=author,
        states=(deletion(Thing(own_key), at),) if is_deletion else (),
        metadata={
            "commentId": keys.bare_number(number),
            "action": action.name,
            "url": url(comment),
            "path": name_of(comment, "path"),
            "line": whole(comment, "line"),
            "reviewId": whole(comment, "pull_request_review_id"),
            "inReplyTo": whole(comment, "in_reply_to_id") or whole(comment, "parent_id"),
            "authorAssociation": name_of(comment, "author_association"),
            "authorLogin": author and author.username,
            "authorId": author and author.source_id,
        },
        updated_at=first_time(comment, "updated_at", "created_at"),
        link_text="" if is_deletion else None,
        part=own_key,
    )


def _time(comment: Mapping[str, Any], place: _Place, action: _CommentAction) -> datetime | None:
    """A deletion has no time of its own; the latest time in its payload is the nearest."""
    if action.name == "created":
        return first_time(comment, "created_at", "updated_at")
    if action.name == "edited":
        return first_time(comment, "updated_at", "created_at")
    return latest(time(comment, "updated_at"), time(comment, "created_at"), place.updated_at)


def _place(
    repository: Repository, event: str, payload: Mapping[str, Any], comment: Mapping[str, Any]
) -> _Place:
    if event == "commit_comment":
        return _commit(repository, comment)
    kind = _KINDS[event]
    item = needed_child(payload, kind.field)
    if kind is ISSUE and child(item, "pull_request"):
        kind = PULL_REQUEST_AS_ISSUE
    number, subject = kind.entity(repository, item)
    reference = Reference(kind.reference, f"#{number}", subject.url)
    return _Place(subject, reference, f"#{number}", item, time(item, "updated_at"))


def _commit(repository: Repository, comment: Mapping[str, Any]) -> _Place:
    sha = name_of(comment, "commit_id")
    if sha is None or not FULL_SHA.fullmatch(sha):
        raise Missing("comment.commit_id")
    subject = repository.commit(sha.lower())
    reference = Reference("commit", sha.lower(), subject.url)
    return _Place(subject, reference, sha[:7].lower(), {}, None)


def _add_lines(builder: GitHubStatementBuilder, comment: Mapping[str, Any]) -> None:
    """Adds the file and the commit that a comment on lines is attached to."""
    path, sha = name_of(comment, "path"), name_of(comment, "commit_id")
    builder.mention_file(path)
    if sha is not None and FULL_SHA.fullmatch(sha):
        commit = builder.repository.commit(sha.lower())
        if commit.key != builder.subject.key:
            builder.mention(commit)
