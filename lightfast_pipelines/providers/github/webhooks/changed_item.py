"""What every small change of an issue, pull request or discussion is made of.

Which changes there are stands in `changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import StateChange
from lightfast_pipelines.providers.github.webhooks.item_kinds import ItemKind
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder


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
