"""`push`: an observation for each commit, and one for the push itself if it forces, deletes, tags or
does not list all of its commits.

Commits of every branch are stated; the integration's settings filter branches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Filtered, Reading, Statement, Understood
from lightfast_pipelines.providers.fields import Missing, child, first_time, flag, name_of, time
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.commits import commit_statements, unlisted
from lightfast_pipelines.providers.github.webhooks.pushed import QUEUE_BRANCHES, Push
from lightfast_pipelines.providers.github.webhooks.refs import (
    REF_TYPES,
    incomplete_statement,
    ref_statement,
)
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.webhook_contract import EventRule

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_NO_COMMIT = "0" * 40
RULES = (
    EventRule(
        "push",
        None,
        "delivered",
        ("commit.pushed", *REF_TYPES),
        "one for each commit; filtered where it is a merge queue's own branch",
    ),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no ref, repository or time."""
    ref = name_of(payload, "ref")
    if ref is None:
        raise Missing("ref")
    branch = ref.removeprefix(_BRANCHES) if ref.startswith(_BRANCHES) else None
    tag = ref.removeprefix(_TAGS) if ref.startswith(_TAGS) else None
    if not branch and not tag:
        return Filtered(f"ref {ref[:200]} is neither a branch nor a tag")
    if branch and branch.startswith(QUEUE_BRANCHES):
        return Filtered(
            "a merge queue's own branch: its commits are remembered when they are merged"
        )
    repository = child(payload, "repository")
    push = Push(
        payload=payload,
        repository=repository_of(payload),
        branch=branch,
        tag=tag,
        before=_sha(payload, "before"),
        after=_after(payload),
        forced=flag(payload, "forced") is True,
        at=time(repository, "pushed_at")
        or time(child(payload, "head_commit"), "timestamp")
        or first_time(repository, "updated_at"),
        pusher=account(payload.get("sender")),
    )
    statements: list[Statement] = []
    of_the_ref = ref_statement(push)
    if of_the_ref is not None:
        statements.append(of_the_ref)
    if branch:
        commits = commit_statements(push)
        statements += commits
        missing = unlisted(push, commits)
        if missing is not None and of_the_ref is None:
            statements.append(incomplete_statement(push, missing, commits))
    return Understood(tuple(statements), None if statements else "the push brings no commit")


def _after(payload: Mapping[str, Any]) -> str | None:
    """The commit that the ref points at now; None if it was deleted. Raises Missing."""
    head = name_of(child(payload, "head_commit"), "id")
    if "after" not in payload and head is None and flag(payload, "deleted") is not True:
        raise Missing("after")
    return _sha(payload, "after") or (head.lower() if head and "after" not in payload else None)


def _sha(payload: Mapping[str, Any], field: str) -> str | None:
    sha = name_of(payload, field)
    return None if sha is None or sha.startswith(_NO_COMMIT) else sha.lower()
