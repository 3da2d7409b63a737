"""The commits of a push: one statement each, the same whichever push brings the commit.

The commit's author is the actor; the pusher takes part. `commit_relations` finds how the commit relates
to pull requests and other commits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Statement, Thing
from lightfast_pipelines.providers.fields import (
    LONGEST_CONTENT,
    LONGEST_LINK_TEXT,
    LONGEST_NAME,
    child,
    children,
    cut,
    first_line,
    name_of,
    text,
    time,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github.accounts import co_authors, commit_account, committer
from lightfast_pipelines.providers.github.webhooks.commit_relations import (
    FULL_SHA,
    MergePush,
    commit_relations,
    merge_push,
    numbers_are_own,
)
from lightfast_pipelines.providers.github.webhooks.pushed import Push
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder

COMMITS_GITHUB_SENDS = 2_048  # docs.github.com, "Webhook events and payloads": push
MENTIONED_FILES = 300
"""No commit of the recorded histories changes more; one that moves a whole tree may change thousands."""
# A clock that was never set starts in 1970; no imported history goes back that far.
_OFFSET = re.compile(r"T[\d:.]+([+-])(\d\d):([0-5]\d)$", re.ASCII)
_FURTHEST_OFFSET = 14 * 60
_CLOCK_NOT_SET = datetime(1970, 1, 3, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(days=1)


def commit_statements(push: Push) -> list[Statement]:
    """A statement for each commit; one without an id or a time is left out."""
    commits = children(push.payload, "commits")
    head = child(push.payload, "head_commit") or next(
        (commit for commit in commits if commit.get("id") == push.after), {}
    )
    if head and all(commit.get("id") != head.get("id") for commit in commits):
        commits = [
            *commits,
            head,
        ]  # GitHub cut the list, or the branch was created at a known commit
    merge = merge_push(push, commits, head) if numbers_are_own(push, head) else None
    count, is_part = len(commits), is_cut(push)
    statements = (_statement(push, commit, merge, count, is_part) for commit in commits)
    stated = [statement for statement in statements if statement is not None]
    before = pushed_before(push)
    return [
        replace(statement, pushed_after=before)
        if before and statement.subject.key == keys.github_commit(push.after or "")
        else statement
        for statement in stated
    ]


def pushed_before(push: Push) -> tuple[str, ...]:
    """The commits that come before the last one of a push, if the push says them all: first the one that the
    branch held before, then those that it brings. Every ancestor of the last commit is among these or their
    first one's.
    """
    listed = [(name_of(commit, "id") or "").lower() for commit in children(push.payload, "commits")]
    if push.before is None or push.after is None or push.forced or is_cut(push):
        return ()
    if not listed or listed[-1] != push.after or not all(map(FULL_SHA.fullmatch, listed)):
        return ()
    return (push.before, *listed[:-1])


def unlisted(push: Push, stated: Sequence[Statement]) -> list[str] | None:
    """Ids of commits that the push names but does not describe; None if it describes all of them.

    A delivery may lack its commits, or list only the first of them. The others may be unknown: then
    the list is empty.
    """
    if push.after is None:
        return None
    listed = push.payload.get("commits")
    described = {statement.subject.key.rpartition(":")[2] for statement in stated}
    named_shas = [name_of(commit, "id") or "" for commit in children(push.payload, "commits")]
    named_shas = [sha.lower() for sha in (*named_shas, push.after) if FULL_SHA.fullmatch(sha)]
    missing = list(dict.fromkeys(sha for sha in named_shas if sha not in described))
    if missing or not isinstance(listed, list) or is_cut(push):
        return missing
    moved_on = push.before is not None and push.before != push.after and not push.forced
    return missing if moved_on and not listed and "before" in push.payload else None


def is_cut(push: Push) -> bool:
    """Whether the push brought more commits than it lists."""
    listed = len(children(push.payload, "commits"))
    sizes = (whole(push.payload, "size"), whole(push.payload, "distinct_size"))
    return listed >= COMMITS_GITHUB_SENDS or any(size and size > listed for size in sizes)


def _statement(
    push: Push,
    commit: Mapping[str, Any],
    merge: MergePush | None,
    commit_count: int,
    commits_cut: bool,
) -> Statement | None:
    sha = name_of(commit, "id")
    at = _made_at(push, commit)
    if sha is None or at is None or not FULL_SHA.fullmatch(sha):
        return None
    sha = sha.lower()
    message = text(commit, "message") or ""
    headline = first_line(message)
    subject = Thing(
        keys.github_commit(sha),
        cut(headline, 200) or None,
        url(commit, "url") or push.repository.page("commit", sha),
    )
    author = commit_account(commit.get("author"))
    kinds = ("added", "modified", "removed")
    added, modified, removed = (_paths(commit, kind) for kind in kinds)
    change_of = {
        **dict.fromkeys(removed, "removed"),
        **dict.fromkeys(modified, "modified"),
        **dict.fromkeys(added, "added"),
    }
    paths = list(dict.fromkeys(added + modified + removed))
    # A commit from the API's list names no files, which is not the same as changing none.
    are_known = any(kind in commit for kind in kinds)
    is_own = numbers_are_own(push, commit)
    relations = commit_relations(
        push, subject, message, merge, committer=commit.get("committer"), numbers_are_own=is_own
    )
    scope = push.repository.scope
    if scope is not None and not is_own:
        scope = replace(scope, has_numbers=False)
    branch = push.repository.branch(push.branch or "")
    builder = GitHubStatementBuilder(push.repository, subject)
    builder.refer("commit", sha, subject.url)
    builder.refer("branch", push.branch or "", branch.url)
    builder.accounts |= dict.fromkeys(co_authors(message))
    builder.accounts |= dict.fromkeys(committer(commit.get("committer"), author))
    builder.add_account("pusher", push.pusher)
    builder.relate("on_branch", branch)
    for mention, edge in relations:
        builder.mentions[mention] = None
        builder.edges.append(edge)
    # The first files by name: the cut must not depend on the order in which GitHub lists them.
    for path in sorted(path for path in paths if len(path) <= LONGEST_NAME)[:MENTIONED_FILES]:
        builder.mention_file(path, change=change_of[path])
    return builder.build(
        source_id=keys.source_id(subject.key, "pushed"),
        source_type="commit.pushed",
        occurred_at=at,
        title=titled("Commit", headline),
        content=cut(message, LONGEST_CONTENT),
        base_significance=30,
        actor=author,
        author=author,
        metadata={
            "branch": push.branch,
            "sha": sha,
            "beforeSha": push.before,
            "afterSha": push.after,
            "commitCount": commit_count,
            "commitsCut": commits_cut,
            "fileCount": len(paths) if are_known else None,
            "added": len(added) if are_known else None,
            "modified": len(modified) if are_known else None,
            "removed": len(removed) if are_known else None,
            "forced": push.forced,
            "authorLogin": author and author.username,
            "utcOffset": _utc_offset(commit),
            "pushedBy": push.pusher and push.pusher.username,
        },
        updated_at=push.at,
        scope=scope,
        link_text=message[:LONGEST_LINK_TEXT],
        branch=push.branch,
        paths=tuple(paths) if are_known else None,
        parents=_parents(commit),
    )


def _parents(commit: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The ids of its parents; None unless it states them all, as only the API does."""
    if "parents" not in commit:
        return None
    stated = [name_of(parent, "sha") or "" for parent in children(commit, "parents")]
    return tuple(sha.lower() for sha in stated) if all(map(FULL_SHA.fullmatch, stated)) else None


def _made_at(push: Push, commit: Mapping[str, Any]) -> datetime | None:
    """The author's time; older payloads have no `date` for it, only `timestamp`.

    An author's clock may be wrong: no commit is authored after it is committed or pushed, or in 1970.
    """
    committed = time(child(commit, "committer"), "date")
    authored = time(child(commit, "author"), "date") or time(commit, "timestamp")
    if authored is None:
        return committed
    pushed = time(child(push.payload, "repository"), "pushed_at")
    sure = [each for each in (committed, pushed) if each is not None and each > _CLOCK_NOT_SET]
    is_possible = authored > _CLOCK_NOT_SET and all(
        authored <= each + _CLOCKS_DIFFER for each in sure
    )
    return authored if is_possible or not sure else min(sure)


def _utc_offset(commit: Mapping[str, Any]) -> int | None:
    """Minutes east of UTC on the author's clock. `Z` says nothing, as APIs convert every time to it."""
    for value in (text(child(commit, "author"), "date"), text(commit, "timestamp")):
        if value is not None and (offset := _OFFSET.search(value)) is not None:
            minutes = int(offset[2]) * 60 + int(offset[3])
            if minutes <= _FURTHEST_OFFSET:
                return -minutes if offset[1] == "-" else minutes
    return None


def _paths(commit: Mapping[str, Any], kind: str) -> list[str]:
    listed = commit.get(kind)
    return (
        [path for path in listed if isinstance(path, str) and path]
        if isinstance(listed, list)
        else []
    )
