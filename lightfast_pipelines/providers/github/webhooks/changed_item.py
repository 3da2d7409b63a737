"""What every small change of an issue, pull request or discussion is made of.

Which changes there are stands in `changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import StateChange
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder


@dataclass(frozen=True, slots=True)
class ItemKind:
    """Where an item stands in its payload, and how it is named."""

    event: str
    field: str
    thing: str
    tag: str
    reference: str
    key: Callable[[int | str, int | str], str]


ISSUE = ItemKind("issues", "issue", "issue", "Issue", "issue", keys.github_issue)
PULL_REQUEST = ItemKind(
    "pull_request", "pull_request", "pull-request", "PR", "pr", keys.github_pull_request
)
# Some changes of a pull request come as changes of the issue that it is as well.
PULL_REQUEST_AS_ISSUE = ItemKind(
    "issues", "issue", "pull-request", "PR", "pr", keys.github_pull_request
)
DISCUSSION = ItemKind(
    "discussion", "discussion", "discussion", "Discussion", "discussion", keys.github_discussion
)


@dataclass(slots=True)
class ItemChange:
    """What a payload changed. `which` tells changes at one moment apart; None: nothing to tell.

    `more` is told below the words; `edited`: the item's own text is new, and is read.
    """

    which: str | None
    words: str
    states: list[StateChange] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    more: tuple[str | None, ...] = ()
    edited: bool = False


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """The item, what its statement points at so far, and the moment of the change."""

    kind: ItemKind
    payload: Mapping[str, Any]
    value: Mapping[str, Any]
    builder: GitHubStatementBuilder
    at: datetime


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    tag: str
    weight: int
    read: Callable[[ChangedItem], ItemChange]
