"""The values from which `changes` describes a small change of an issue, pull request or discussion."""

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
    """What a payload changed.

    `which` distinguishes changes at the same moment; None means that nothing is remembered, and `words`
    says why. `more` is shown below the words. With `edited` the item's own text is new and is searched
    for references.
    """

    which: str | None
    words: str
    states: list[StateChange] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    more: tuple[str | None, ...] = ()
    edited: bool = False


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """The item, the builder of its statement, and the moment of the change."""

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
