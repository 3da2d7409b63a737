"""A push, read once: what the statements about its commits and about its ref need to know.

What is stated of it stands in `commits` and `refs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import Account
from lightfast_pipelines.providers.github.webhooks.repository import Repository

QUEUE_BRANCHES = "gh-readonly-queue/"
"""Begins the names of the branches on which a merge queue tries what it may merge."""


@dataclass(frozen=True, slots=True)
class Push:
    """A push as its observations need it; `before` and `after` are None for "nothing there".

    `branch` or `tag` is set, never both. `at` is when GitHub received it, as far as it says.
    """

    payload: Mapping[str, Any]
    repository: Repository
    branch: str | None
    tag: str | None
    before: str | None
    after: str | None
    forced: bool
    at: datetime | None
    pusher: Account | None

    @property
    def onto_default_branch(self) -> bool:
        return self.branch is not None and self.branch == self.repository.default_branch
