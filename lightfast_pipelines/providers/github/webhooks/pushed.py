"""A push, read once for the statements about its commits (`commits`) and about its ref (`refs`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import Account
from lightfast_pipelines.providers.github.webhooks.repository import Repository

QUEUE_BRANCHES = "gh-readonly-queue/"
"""Prefix of the branches on which a merge queue tests what it may merge."""


@dataclass(frozen=True, slots=True)
class Push:
    """A push. `before` and `after` are None if the ref does not exist.

    Either `branch` or `tag` is set. `at` is when GitHub received it, if the payload says so.
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
