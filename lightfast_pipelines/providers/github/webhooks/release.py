"""`release`: published, drafted, unpublished, deleted, and released after being a prerelease.

`released` and `prereleased` also come together with `published`, where they add nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    ENDING_REASON,
    Filtered,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_time,
    flag,
    latest,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.outcomes import not_kept, unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import Repository, repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _ReleaseTransition:
    name: str
    tag: str
    time: str | None
    state: str
    rank: int
    weight: int


# `time` is None if the payload has no time of the transition; the latest time in it is the nearest.
_TRANSITIONS = {
    "created": _ReleaseTransition("created", "Release Drafted", "created_at", "draft", 0, 70),
    "published": _ReleaseTransition(
        "published", "Release Published", "published_at", "published", 1, 75
    ),
    "released": _ReleaseTransition(
        "released", "Prerelease Released", "updated_at", "published", 2, 70
    ),
    "unpublished": _ReleaseTransition("unpublished", "Release Unpublished", None, "draft", 4, 45),
    "deleted": _ReleaseTransition("deleted", "Release Deleted", None, "deleted", 5, 45),
}
_NOT_KEPT = frozenset({"edited", "prereleased"})
_AT_ONCE = timedelta(minutes=1)
RULES = (
    *(
        EventRule(
            "release",
            action,
            "delivered",
            (f"release.{each.name}",),
            "filtered where it comes with published" if action == "released" else "",
        )
        for action, each in _TRANSITIONS.items()
    ),
    *not_kept("release", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no release, repository or time."""
    action = text(payload, "action")
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    release = needed_child(payload, "release")
    if action == "created" and flag(release, "draft") is not True:
        return Filtered("action created of a release that is no draft comes with published")
    if action == "released" and not _was_prerelease(release):
        return Filtered("action released of what was no prerelease comes with published")
    transition = _TRANSITIONS.get(action or "")
    if transition is None:
        return unknown_action("release", action)
    return Understood((_statement(payload, release, transition),))


def _was_prerelease(release: Mapping[str, Any]) -> bool:
    """Whether it was published some time before it was released."""
    published, changed = time(release, "published_at"), time(release, "updated_at")
    return published is not None and changed is not None and changed - published > _AT_ONCE


def _statement(
    payload: Mapping[str, Any], release: Mapping[str, Any], transition: _ReleaseTransition
) -> Statement:
    repository = repository_of(payload)
    tag = name_of(release, "tag_name")
    if tag is None:
        raise Missing("release.tag_name")
    at = _time(payload, release, transition)
    if at is None:
        raise Missing(f"release.{transition.time or 'published_at'}")
    name, target = text(release, "name"), name_of(release, "target_commitish")
    subject = Thing(keys.github_release(repository.id, tag), (name or tag)[:200], url(release))
    builder = GitHubStatementBuilder(repository, subject)
    _add_tag_and_target(builder, tag, target)
    states = _states(builder.repository, subject, release, transition, at)
    for state in (state for state in states if state.thing is not subject):
        builder.mention(state.thing, "repository")
    author = account(release.get("author"))
    return builder.build(
        source_id=keys.source_id(subject.key, transition.name, moment_key(at)),
        source_type=f"release.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, name or tag),
        content=content_of(name or tag, text(release, "body")),
        base_significance=transition.weight,
        actor=account(payload.get("sender")),
        author=author,
        states=states,
        metadata={
            "tagName": tag,
            "targetCommitish": target,
            "action": transition.name,
            "prerelease": flag(release, "prerelease"),
            "draft": flag(release, "draft"),
            "authorLogin": author and author.username,
            "authorId": author and author.source_id,
        },
        updated_at=first_time(release, "updated_at", "published_at", "created_at"),
    )


def _time(
    payload: Mapping[str, Any], release: Mapping[str, Any], transition: _ReleaseTransition
) -> datetime | None:
    if transition.time is not None:
        return first_time(release, transition.time, "created_at")
    repository = child(payload, "repository")
    fields = ("updated_at", "published_at", "created_at")
    moments = [time(release, field) for field in fields]
    return latest(*moments, time(repository, "updated_at"), time(repository, "pushed_at"))


def _add_tag_and_target(builder: GitHubStatementBuilder, tag: str, target: str | None) -> None:
    """Adds the tag and the target: a commit if it is a full id, otherwise a branch."""
    thing = builder.repository.tag(tag)
    builder.refer("tag", tag, thing.url)
    builder.relate("references", thing)
    if target is None:
        return
    if FULL_SHA.fullmatch(target):
        commit = builder.repository.commit(target)
        builder.refer("commit", target.lower(), commit.url)
        builder.relate("contains", commit)
    else:
        branch = builder.repository.branch(target)
        builder.refer("branch", target, branch.url)
        builder.relate("on_branch", branch)


def _states(
    repository: Repository,
    subject: Thing,
    release: Mapping[str, Any],
    transition: _ReleaseTransition,
    at: datetime,
) -> tuple[StateChange, ...]:
    """The release's own state, and whether it is now the repository's latest (never a prerelease)."""
    name, rank = transition.name, transition.rank
    own = StateChange(subject, "status", transition.state, at, rank, reason=name)
    if name in ("deleted", "unpublished"):
        # domain/latest_release.py finds which release is the latest instead.
        ended = StateChange(
            repository.thing, "latest_release", subject.key, at, rank, reason=ENDING_REASON
        )
        return (own, deletion(subject, at), ended) if name == "deleted" else (own, ended)
    is_draft = transition.state == "draft" or flag(release, "draft") is True
    if is_draft or flag(release, "prerelease") is True:
        return (own,)
    tag = {"tag": name_of(release, "tag_name")}
    return (own, StateChange(repository.thing, "latest_release", subject.key, at, rank, name, tag))
