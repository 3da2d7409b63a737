"""`pull_request_review`: submitted, edited, dismissed.

Comments on lines are events of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reading, Statement, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
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
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.item_kinds import PULL_REQUEST
from lightfast_pipelines.providers.github.webhooks.outcomes import delivered, unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder

_LONGEST_TITLE = 100
# verdict -> (tag of the title, base significance)
_VERDICTS = {
    "approved": ("Review Approved", 30),
    "changes_requested": ("Changes Requested", 35),
    "commented": ("Review Comment", 15),
    "dismissed": ("Review Dismissed", 25),
    "pending": ("Review Pending", 5),
}


@dataclass(frozen=True, slots=True)
class _ReviewAction:
    name: str
    tag: str | None
    weight: int | None


_ACTIONS = {
    "submitted": _ReviewAction("submitted", None, None),
    "edited": _ReviewAction("edited", "Review Edited", 12),
    "dismissed": _ReviewAction("dismissed", "Review Dismissed", 25),
}
RULES = delivered("pull_request_review", "review", _ACTIONS)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no review, pull request or time."""
    action = _ACTIONS.get(text(payload, "action") or "")
    if action is None:
        return unknown_action("pull_request_review", payload.get("action"))
    return Understood((_statement(payload, action),))


def _statement(payload: Mapping[str, Any], action: _ReviewAction) -> Statement:
    repository = repository_of(payload)
    review, pull = needed_child(payload, "review"), needed_child(payload, "pull_request")
    identity = whole(review, "id")
    if identity is None:
        raise Missing("review.id")
    number, subject = PULL_REQUEST.entity(repository, pull)
    submitted = time(review, "submitted_at")
    at = submitted
    if action.name != "submitted" or at is None:
        # An edit or dismissal has no time of its own, but it updates the pull request.
        at = latest(submitted, time(review, "updated_at"), time(pull, "updated_at"))
    if at is None:
        raise Missing("review.submitted_at")
    verdict = (name_of(review, "state") or "").lower()
    tag, weight = _VERDICTS.get(verdict, ("Review", 15))
    title = text(pull, "title") or ""
    body = text(review, "body") or ""
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("pr", f"#{number}", subject.url)
    builder.add_people("reviewer", [review.get("user")])
    builder.add_account("subject_author", account(pull.get("user")))
    builder.add_place(pull)
    sha = name_of(review, "commit_id")
    if sha is not None and FULL_SHA.fullmatch(sha):
        builder.mention(repository.commit(sha.lower()))
    author = account(review.get("user"))
    shown = f"#{number}: {first_line(body)[:_LONGEST_TITLE]}" if body else title
    which = f"{identity}@{moment_key(at)}" if action.name == "edited" else str(identity)
    return builder.build(
        source_id=keys.source_id(subject.key, f"review.{action.name}", which),
        source_type=f"review.{action.name}",
        occurred_at=at,
        title=titled(action.tag or tag, shown),
        content=content_of(body),
        base_significance=weight if action.weight is None else action.weight,
        actor=account(payload.get("sender")),
        author=author,
        metadata={
            "prNumber": number,
            "action": action.name,
            "reviewId": str(identity),
            "reviewState": verdict or None,
            "commitSha": sha,
            "url": url(review),
            "authorLogin": author and author.username,
            "authorId": author and author.source_id,
            "authorAssociation": name_of(review, "author_association"),
        },
        updated_at=at,
        # Without a text of its own it shows the pull request's title, which has already been searched.
        link_text=None if body else "",
    )
