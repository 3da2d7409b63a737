"""Finds the pull request that brought a commit in, and the commits that it reverts or cherry-picks.

The evidence is the text that git and GitHub write into messages, and which commits one push brought.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Mention, Thing
from lightfast_pipelines.domain.markup import cover
from lightfast_pipelines.providers.fields import (
    LONGEST_LINK_TEXT,
    LONGEST_NAME,
    child,
    first_line,
    flag,
    name_of,
    text,
    time,
)
from lightfast_pipelines.providers.github.accounts import MERGE_QUEUE, is_web_flow
from lightfast_pipelines.providers.github.webhooks.pushed import Push

FULL_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)
# GitHub's merge button; then bors (`Merge #9`), homu (`Auto merge of #9 - ann:fix`) and scripts of
# people who merge by hand (`Merge acme/shop#9: Fix it`).
_MERGE = re.compile(
    r"Merge pull request #(?P<by_button>\d{1,10}) from \S"
    r"|(?:Auto merge of|Merge) (?P<repository>[\w.-]+/[\w.-]+)?#(?P<by_robot>\d{1,10})(?= - |: |[ \r]*(?:\n|\Z))"
)
_TITLE_NUMBER = re.compile(r"\((?:#|(?P<gh>GH-))(?P<number>\d{1,10})\)$", re.IGNORECASE)
_REVERTS = re.compile(r"\bThis reverts commit ([0-9a-f]{7,64})\b", re.IGNORECASE)
_CHERRY_PICKS = re.compile(r"\(cherry picked from commit ([0-9a-f]{7,64})\)", re.IGNORECASE)
_SUBTREE = re.compile(r"^git-subtree-(?:dir|split): ", re.MULTILINE)

_BY_BUTTON = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class MergePush:
    """A push that merges one pull request: all other commits in it belong to the pull request."""

    number: int
    merge_sha: str
    confidence: float


def merge_push(
    push: Push, commits: list[Mapping[str, Any]], head: Mapping[str, Any]
) -> MergePush | None:
    """The merge, if the push is one merge of one pull request; otherwise None.

    GitHub's merge button pushes one new merge commit (`distinct`: on no branch before), so any other
    merges in the push were part of the pull request. A repository can make the button write the pull
    request's title, as a squash does; but a squash brings no other commits. A push by hand may contain
    other work as well, and a merge queue pushes a group at once: with several merges it is unknown
    which commit belongs to which pull request.
    """
    sha, message = name_of(head, "id"), text(head, "message") or ""
    if sha is None:
        return None
    merged = _merged_number(push, message)
    by_button = (
        is_web_flow(head.get("committer"))
        and flag(head, "distinct") is not False
        and not (push.pusher is not None and push.pusher.username == MERGE_QUEUE)
    )
    if merged is not None and by_button:
        return MergePush(merged, sha.lower(), 1.0)
    if merged is not None:
        merges = sum(1 for commit in commits if _MERGE.match(text(commit, "message") or ""))
        return MergePush(merged, sha.lower(), 0.9) if merges == 1 else None
    titled = _titled_number(first_line(message), head.get("committer"))
    if titled is not None and by_button and push.onto_default_branch and len(commits) > 1:
        others = (commit for commit in commits if commit.get("id") != head.get("id"))
        if any(_is_squash(commit) for commit in others):
            return None
        return MergePush(titled, sha.lower(), 0.9)
    return None


def _merged_number(push: Push, message: str) -> int | None:
    """The number of this repository's pull request that the message says was merged."""
    match = _MERGE.match(message)
    if match is None:
        return None
    merged_into, own_name = match["repository"], push.repository.full_name
    if merged_into and (own_name is None or merged_into.lower() != own_name.lower()):
        return None
    return int(match["by_button"] or match["by_robot"])


def _titled_number(headline: str, committer: Any) -> int | None:
    """The number at the end of a squash's title. `(GH-12)` counts only if GitHub's button wrote it:
    otherwise it may be an issue's."""
    match = _TITLE_NUMBER.search(headline)
    if match is None or (match["gh"] and not is_web_flow(committer)):
        return None
    return int(match["number"])


def _is_squash(commit: Mapping[str, Any]) -> bool:
    """Whether GitHub made the commit by squashing another pull request."""
    committer = commit.get("committer")
    titled = _titled_number(first_line(text(commit, "message") or ""), committer)
    return titled is not None and is_web_flow(committer)


def numbers_are_own(push: Push, commit: Mapping[str, Any]) -> bool:
    """Whether the numbers in a commit's message belong to the repository that it is pushed to.

    When a fork is synchronized it receives earlier commits whose numbers belong to the repository
    they came from. The fork's own commits are those that the person who pushes made, and those that
    GitHub's button made just before the push. The squashed commits of a subtree always belong to
    another repository.
    """
    if _SUBTREE.search(text(commit, "message") or ""):
        return False
    if not push.repository.is_fork:
        return True
    author, committer = child(commit, "author"), child(commit, "committer")
    made_at = time(commit, "timestamp") or time(committer, "date")
    if is_web_flow(committer):
        # A record from the API names no push, so we cannot know.
        pushed_at = time(child(push.payload, "repository"), "pushed_at")
        if made_at is None or pushed_at is None:
            return False
        return abs(pushed_at - made_at) <= _BY_BUTTON
    sender = child(push.payload, "sender")
    pusher = child(push.payload, "pusher")
    logins = {name_of(sender, "login"), name_of(pusher, "name")} - {None}
    emails = {name_of(pusher, "email")} - {None}
    for person in (author, committer):
        if name_of(person, "username") in logins or name_of(person, "email") in emails:
            return True
    return False


def commit_relations(
    push: Push,
    subject: Thing,
    message: str,
    merge: MergePush | None,
    *,
    committer: Any = None,
    numbers_are_own: bool = True,
) -> list[tuple[Mention, Edge]]:
    """The commit's relations, each with a mention of the thing on the other side."""
    headline = first_line(message)[:LONGEST_NAME]
    sha = subject.key.rpartition(":")[2]
    said = cover(message[:LONGEST_LINK_TEXT])
    relations: list[tuple[Mention, Edge]] = []

    def relate(edge: Edge) -> None:
        other = edge.object if edge.subject is subject else edge.subject
        mention = Mention(other, "reference", edge.evidence, edge.confidence, edge.method)
        relations.append((mention, edge))

    # A commit that was cherry-picked by hand has the original's title; the number in it belongs to the
    # original, maybe even to another repository.
    is_copy = _CHERRY_PICKS.search(said) is not None and not is_web_flow(committer)
    has_own_title = numbers_are_own and not is_copy
    merged = _merged_number(push, message) if has_own_title else None
    titled = _titled_number(headline, committer) if has_own_title else None
    if merged is not None:
        pull = push.repository.numbered(merged)
        relate(Edge(pull, "merges_as", subject, 1.0, "merge message", headline))
    elif (
        titled is not None
        and push.onto_default_branch
        and (merge is None or merge.merge_sha == sha)
    ):
        # Inside a merged pull request such a number is an issue's or another repository's.
        pull = push.repository.numbered(titled)
        relate(Edge(pull, "merges_as", subject, 0.9, "squash title", headline))
    if merge is not None and merge.merge_sha != sha:
        pull = push.repository.numbered(merge.number)
        evidence = f"pushed with merge {merge.merge_sha}"
        relate(Edge(pull, "contains", subject, merge.confidence, "merge push", evidence))
    for pattern, relation in ((_REVERTS, "reverts"), (_CHERRY_PICKS, "cherry_picks")):
        for match in pattern.finditer(said):
            if match[1].lower() != sha:
                other = _commit_named(push, match[1].lower())
                relate(Edge(subject, relation, other, 1.0, "message", match[0][:LONGEST_NAME]))
    return relations


def _commit_named(push: Push, sha: str) -> Thing:
    if FULL_SHA.fullmatch(sha):
        return push.repository.commit(sha)
    return Thing(keys.github_short_sha(sha))
