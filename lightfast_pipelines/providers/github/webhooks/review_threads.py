"""`pull_request_review_thread`: resolved and reopened threads of comments on lines.

A thread is identified by its first comment; its subject is the pull request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reading, StateChange, Thing, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    children,
    content_of,
    first_line,
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
from lightfast_pipelines.providers.github.webhooks.item_kinds import PULL_REQUEST
from lightfast_pipelines.providers.github.webhooks.outcomes import unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule

_LONGEST_TITLE = 100
# action -> (tag of the title, base significance)
_ACTIONS = {
    "resolved": ("Review Thread Resolved", 12),
    "unresolved": ("Review Thread Reopened", 15),
}
RULES = tuple(
    EventRule("pull_request_review_thread", action, "delivered", (f"review-thread.{action}",))
    for action in _ACTIONS
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no thread, pull request or time."""
    action = text(payload, "action") or ""
    if action not in _ACTIONS:
        return unknown_action("pull_request_review_thread", action)
    tag, weight = _ACTIONS[action]
    repository, pull = repository_of(payload), needed_child(payload, "pull_request")
    comments = children(needed_child(payload, "thread"), "comments")
    first = comments[0] if comments else {}
    identity = whole(first, "id")
    if identity is None:
        raise Missing("thread.comments")
    number, subject = PULL_REQUEST.entity(repository, pull)
    at = time(payload, "updated_at") or latest(
        time(pull, "updated_at"), *(time(comment, "updated_at") for comment in comments)
    )
    if at is None:
        raise Missing("pull_request.updated_at")
    body = text(first, "body") or ""
    path, line = name_of(first, "path"), whole(first, "line")
    shown = first_line(body)[:_LONGEST_TITLE]
    thread = Thing(github_keys.review_thread(repository.id, identity), shown or None, url(first))
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("pr", f"#{number}", subject.url)
    builder.add_account("subject_author", account(pull.get("user")))
    builder.add_place(pull)
    builder.mention(thread)
    builder.mention_file(path)
    author = account(first.get("user"))
    statement = builder.build(
        source_id=keys.source_id(
            subject.key, f"review-thread.{action}", f"{identity}@{moment_key(at)}"
        ),
        source_type=f"review-thread.{action}",
        occurred_at=at,
        title=titled(tag, f"#{number}: {shown}" if shown else f"#{number}"),
        content=content_of(body),
        base_significance=weight,
        actor=account(payload.get("sender")),
        author=author,
        states=(
            StateChange(
                thread,
                "status",
                action,
                at,
                2 if action == "resolved" else 1,
                action,
                {"pullRequest": subject.key},
            ),
        ),
        metadata={
            "prNumber": number,
            "action": action,
            "commentId": str(identity),
            "comments": len(comments),
            "url": url(first),
            "path": path,
            "line": line,
            "authorLogin": author and author.username,
        },
        updated_at=at,
        # The comment's text was searched when it was written.
        link_text="",
        part=github_keys.comment("review-comment", keys.at_host(identity, repository.host)),
    )
    return Understood((statement,))
