"""The commits that a push brings: one statement each, equal whichever push states it.

The commit's own author did it; who pushed it is a participant. Relations are read off the words
that git and GitHub themselves put into messages, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    AccountMention,
    Edge,
    Mention,
    Reference,
    Statement,
    Thing,
)
from lightfast_pipelines.providers.github.accounts import (
    co_authors,
    commit_account,
    committer,
    is_web_flow,
)
from lightfast_pipelines.providers.github.fields import (
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
)
from lightfast_pipelines.providers.github.pushed import Push

COMMITS_GITHUB_SENDS = 2_048  # docs.github.com, "Webhook events and payloads": push
MENTIONED_FILES = 40

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)
_MERGE = re.compile(r"Merge pull request #(\d{1,10}) from \S")
_SQUASH = re.compile(r"\(#(\d{1,10})\)$")
_REVERTS = re.compile(r"\bThis reverts commit ([0-9a-f]{7,64})\b", re.IGNORECASE)
_CHERRY_PICKS = re.compile(r"\(cherry picked from commit ([0-9a-f]{7,64})\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _MergePush:
    """The push of a pull request's merge: its other commits are the pull request's."""

    number: int
    merge_sha: str
    confidence: float


def commit_statements(push: Push) -> list[Statement]:
    """A statement for each commit; one without an id or a time is left out."""
    commits = children(push.payload, "commits")
    head = child(push.payload, "head_commit")
    if head and all(commit.get("id") != head.get("id") for commit in commits):
        commits = [*commits, head]  # cut off by GitHub, or a branch made at a known commit
    merge = _merge_push(commits, head)
    statements = (_statement(push, commit, merge, len(commits)) for commit in commits)
    return [statement for statement in statements if statement is not None]


def _merge_push(commits: list[Mapping[str, Any]], head: Mapping[str, Any]) -> _MergePush | None:
    """Set where the push is one merge of one pull request.

    GitHub's button pushes exactly one merge, so merges among the rest were nested in it. A push
    by hand may carry other work besides: with several merges nobody can tell whose is whose.
    """
    sha, found = name_of(head, "id"), _MERGE.match(text(head, "message") or "")
    if sha is None or found is None:
        return None
    if is_web_flow(head.get("committer")):
        return _MergePush(int(found[1]), sha, 1.0)
    merges = sum(1 for commit in commits if _MERGE.match(text(commit, "message") or ""))
    return _MergePush(int(found[1]), sha, 0.9) if merges == 1 else None


def _statement(
    push: Push, commit: Mapping[str, Any], merge: _MergePush | None, commit_count: int
) -> Statement | None:
    sha = name_of(commit, "id")
    at = _authored_at(commit)
    if sha is None or at is None or not _SHA.fullmatch(sha):
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
    accounts = co_authors(message) + committer(commit.get("committer"), author)
    if push.pusher is not None:
        accounts.append(AccountMention("pusher", push.pusher))
    added, modified, removed = (_paths(commit, kind) for kind in ("added", "modified", "removed"))
    paths = list(dict.fromkeys(added + modified + removed))
    mentions, edges = _relations(push, subject, sha, message, headline, merge)
    branch = push.repository.branch(push.branch or "")
    return Statement(
        source_id=keys.source_id(subject.key, "pushed"),
        source="github",
        source_type="commit.pushed",
        subject=subject,
        occurred_at=at,
        title=titled("Commit", headline),
        content=cut(message, LONGEST_CONTENT),
        base_significance=30,
        actor=author,
        author=author,
        accounts=tuple(accounts),
        references=(
            Reference("commit", sha, subject.url),
            Reference("branch", push.branch or "", branch.url),
        ),
        mentions=(
            Mention(subject, "subject"),
            Mention(branch, "reference"),
            *mentions,
            *_file_mentions(paths),
        ),
        edges=(Edge(subject, "on_branch", branch), *edges),
        metadata={
            **push.repository.facts,
            "branch": push.branch,
            "sha": sha,
            "beforeSha": push.before,
            "afterSha": push.after,
            "commitCount": commit_count,
            "commitsCut": commit_count >= COMMITS_GITHUB_SENDS,
            "fileCount": len(paths),
            "added": len(added),
            "modified": len(modified),
            "removed": len(removed),
            "forced": push.forced,
            "authorLogin": author and author.username,
            "pushedBy": push.pusher and push.pusher.username,
        },
        updated_at=push.at,
        scope=push.repository.scope,
        link_text=message[:LONGEST_LINK_TEXT],
        branch=push.branch,
        paths=tuple(paths),
    )


def _authored_at(commit: Mapping[str, Any]) -> datetime | None:
    """The author's time; payloads before 2025 have only `timestamp`, which is the same."""
    return (
        time(child(commit, "author"), "date")
        or time(commit, "timestamp")
        or time(child(commit, "committer"), "date")
    )


def _paths(commit: Mapping[str, Any], kind: str) -> list[str]:
    found = commit.get(kind)
    return (
        [path for path in found if isinstance(path, str) and path]
        if isinstance(found, list)
        else []
    )


def _file_mentions(paths: list[str]) -> list[Mention]:
    """The first files by name: the cut must not depend on the order in which GitHub lists them."""
    short = sorted(path for path in paths if len(path) <= LONGEST_NAME)
    return [Mention(Thing(keys.file(path), path), "file") for path in short[:MENTIONED_FILES]]


def _relations(
    push: Push, subject: Thing, sha: str, message: str, headline: str, merge: _MergePush | None
) -> tuple[list[Mention], list[Edge]]:
    mentions: list[Mention] = []
    edges: list[Edge] = []

    def relate(edge: Edge) -> None:
        other = edge.object if edge.subject is subject else edge.subject
        mentions.append(Mention(other, "reference", edge.evidence, edge.confidence, edge.method))
        edges.append(edge)

    merged = _MERGE.match(message)
    squashed = _SQUASH.search(headline) if push.onto_default_branch and not merged else None
    if merged:
        pull = push.repository.numbered(int(merged[1]))
        relate(Edge(pull, "merges_as", subject, 1.0, "merge message", headline[:LONGEST_NAME]))
    elif squashed:
        pull = push.repository.numbered(int(squashed[1]))
        relate(Edge(pull, "merges_as", subject, 0.9, "squash title", headline[:LONGEST_NAME]))
    if merge is not None and merge.merge_sha.lower() != sha:
        pull = push.repository.numbered(merge.number)
        evidence = f"pushed with merge {merge.merge_sha}"
        relate(Edge(pull, "contains", subject, merge.confidence, "merge push", evidence))
    for pattern, relation in ((_REVERTS, "reverts"), (_CHERRY_PICKS, "cherry_picks")):
        for found in pattern.finditer(message):
            if found[1].lower() != sha:
                other = _commit_named(push, found[1].lower())
                relate(Edge(subject, relation, other, 1.0, "message", found[0][:LONGEST_NAME]))
    return mentions, edges


def _commit_named(push: Push, sha: str) -> Thing:
    if _SHA.fullmatch(sha):
        return push.repository.commit(sha)
    return Thing(keys.github_short_sha(sha))
