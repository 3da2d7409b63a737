"""Issues, pull requests and discussions: what has a number in a repository."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lightfast_pipelines.domain import keys


@dataclass(frozen=True, slots=True)
class ItemKind:
    """Where an item is in its payload, and how it is named.

    `event` is GitHub's, `field` the payload's; `thing` begins the source type; `opening` names the
    transition that begins the item.
    """

    event: str
    field: str
    thing: str
    tag: str
    reference: str
    key: Callable[[int | str, int | str], str]
    opening: str = "opened"


ISSUE = ItemKind("issues", "issue", "issue", "Issue", "issue", keys.github_issue)
PULL_REQUEST = ItemKind(
    "pull_request", "pull_request", "pull-request", "PR", "pr", keys.github_pull_request
)
# A pull request is an issue as well, and some of its changes come as changes of the issue.
PULL_REQUEST_AS_ISSUE = ItemKind(
    "issues", "issue", "pull-request", "PR", "pr", keys.github_pull_request
)
DISCUSSION = ItemKind(
    "discussion",
    "discussion",
    "discussion",
    "Discussion",
    "discussion",
    keys.github_discussion,
    "created",
)
