"""What a push does to its branch or tag itself: forces, deletes or tags.

A push that only adds commits is remembered by its commits; if it does not list all of them, also by an
observation of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Mention, Statement, Thing
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    first_line,
    moment_key,
    name_of,
    text,
    titled,
)
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.pushed import Push
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder


@dataclass(frozen=True, slots=True)
class _Change:
    transition: str
    type: str
    tag: str
    weight: int


_BRANCH_DELETED = _Change("deleted", "branch.deleted", "Branch Deleted", 20)
_BRANCH_FORCED = _Change("forced", "push.forced", "Force Push", 45)
_TAG_CREATED = _Change("created", "tag.created", "Tag Created", 45)
_TAG_DELETED = _Change("deleted", "tag.deleted", "Tag Deleted", 40)
_TAG_MOVED = _Change("moved", "tag.moved", "Tag Moved", 45)
_BRANCH_PUSHED = _Change("pushed", "branch.pushed", "Branch Pushed", 25)
REF_TYPES = tuple(
    change.type
    for change in (
        *(_BRANCH_DELETED, _BRANCH_FORCED, _BRANCH_PUSHED, _TAG_CREATED, _TAG_DELETED, _TAG_MOVED),
    )
)


def ref_statement(push: Push) -> Statement | None:
    """The push's own statement; None if it only adds commits. Raises Missing."""
    change = _change(push)
    return None if change is None else _statement(push, change, push.at)


def incomplete_statement(
    push: Push, missing: Sequence[str], stated: Sequence[Statement]
) -> Statement:
    """States that the branch was pushed, for a push that does not describe all of its commits.

    `missing` are the commits that the push only names. Raises Missing if nothing in it has a time.
    """
    at = push.at or max((each.occurred_at for each in stated), default=None)
    statement = _statement(push, _BRANCH_PUSHED, at)
    missing_commits = [push.repository.commit(sha) for sha in missing if sha != push.after]
    return replace(
        statement,
        mentions=(
            *statement.mentions,
            *(Mention(commit, "reference") for commit in missing_commits),
        ),
        edges=(
            *statement.edges,
            *(Edge(commit, "on_branch", statement.subject) for commit in missing_commits),
        ),
        metadata={**statement.metadata, "commitsMissing": True},
    )


def _statement(push: Push, change: _Change, at: datetime | None) -> Statement:
    if at is None:
        raise Missing("repository.pushed_at")
    name = push.branch or push.tag or ""
    subject = push.repository.branch(name) if push.branch else push.repository.tag(name)
    builder = GitHubStatementBuilder(push.repository, subject)
    builder.refer("branch" if push.branch else "tag", name, subject.url)
    head = _head(push)
    if head is not None:
        builder.refer("commit", head.key.rpartition(":")[2], head.url)
        if push.branch:
            builder.relate_from(head, "on_branch")
        else:
            builder.relate("contains", head)
    # A branch may be forced back and forth between the same commits: only the time distinguishes the pushes.
    moved = f"{push.before or 'none'}..{push.after or 'none'}@{moment_key(at)}"
    return builder.build(
        source_id=keys.source_id(subject.key, change.transition, moved),
        source_type=change.type,
        occurred_at=at,
        title=titled(change.tag, name),
        content=_content(push, name),
        base_significance=change.weight,
        actor=push.pusher,
        author=push.pusher,
        metadata=_metadata(push),
        updated_at=at,
        branch=push.branch,
    )


def _change(push: Push) -> _Change | None:
    if push.after is None:
        return _BRANCH_DELETED if push.branch else _TAG_DELETED
    if push.branch:
        return _BRANCH_FORCED if push.forced else None
    return _TAG_CREATED if push.before is None else _TAG_MOVED


def _head(push: Push) -> Thing | None:
    """The commit that the ref points at now; for an annotated tag `after` is the tag's own id."""
    head = child(push.payload, "head_commit")
    sha = name_of(head, "id") or (push.after if push.branch else None)
    if push.after is None or sha is None or not FULL_SHA.fullmatch(sha):
        return None
    return push.repository.commit(sha, first_line(text(head, "message") or "")[:200] or None)


def _content(push: Push, name: str) -> str:
    where = push.repository.full_name or push.repository.id
    kind = "Branch" if push.branch else "Tag"
    if push.after is None:
        return f"{kind} {name} of {where} was deleted at {push.before}."
    if push.before is None:
        return f"{kind} {name} of {where} was made at {push.after}."
    return f"{kind} {name} of {where} was moved from {push.before} to {push.after}."


def _metadata(push: Push) -> dict[str, Any]:
    return {
        "branch": push.branch,
        "tag": push.tag,
        "beforeSha": push.before,
        "afterSha": push.after,
        "commitCount": len(children(push.payload, "commits")),
        "forced": push.forced,
    }
