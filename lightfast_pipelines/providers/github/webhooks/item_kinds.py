"""Issues, pull requests and discussions: what has a number in a repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import Missing, text, url, whole
from lightfast_pipelines.providers.github.webhooks.repository import Repository


@dataclass(frozen=True, slots=True)
class ItemKind:
    """Where an item is in its payload, and how it is named.

    `event` is GitHub's, `field` the payload's; `thing` starts the source type; `opening` names the
    transition with which the item begins.
    """

    event: str
    field: str
    thing: str
    tag: str
    reference: str
    key: Callable[[int | str, int | str], str]
    opening: str = "opened"

    def entity(self, repository: Repository, item: Mapping[str, Any]) -> tuple[int, Thing]:
        """The item's number and its entity. Raises Missing."""
        number = whole(item, "number")
        if number is None:
            raise Missing(f"{self.field}.number")
        key, title = self.key(repository.id, number), text(item, "title") or ""
        return number, repository.numbered_thing(key, number, title, url(item))


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
