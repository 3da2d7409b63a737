"""Issues and discussions: what is opened, closed or deleted, and can move to another repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import StateChange, Statement, deletion
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    first_time,
    moment_key,
    text,
    time,
    titled,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.item_kinds import ItemKind
from lightfast_pipelines.providers.github.webhooks.moves import Move
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.github.webhooks.transition import ItemTransition


@dataclass(frozen=True, slots=True)
class MovableItem:
    """An issue or a discussion, as a payload shows it in a transition."""

    kind: ItemKind
    payload: Mapping[str, Any]
    value: Mapping[str, Any]
    transition: ItemTransition
    number: int
    title: str
    transition_time: datetime
    move: Move
    builder: GitHubStatementBuilder

    def build(
        self, *, reason: str | None, is_reason_kept: bool, content: str, facts: Mapping[str, Any]
    ) -> Statement:
        """The statement; `is_reason_kept` says whether the state has the reason as well."""
        subject, transition = self.builder.subject, self.transition
        author = account(self.value.get("user"))
        # An item that comes from elsewhere keeps its creation time, but is here only since the move.
        arrived_at = time(self.value, "updated_at") if self.move.origin is not None else None
        at = arrived_at or self.transition_time
        reason = reason or transition.name
        details = {"reason": reason} if is_reason_kept else {}
        status = StateChange(
            subject, "status", transition.state, at, transition.rank, reason, details
        )
        is_deletion = transition.name == "deleted"
        return self.builder.build(
            # An item is deleted only once, and a sweep that finds it gone does not know when.
            source_id=keys.source_id(
                subject.key,
                transition.name,
                None if is_deletion else moment_key(self.transition_time),
            ),
            source_type=f"{self.kind.thing}.{transition.name}",
            occurred_at=at,
            title=titled(transition.tag, self.title),
            content=content,
            base_significance=transition.weight,
            actor=account(self.payload.get("sender")),
            author=author,
            states=(
                status,
                *([deletion(subject, at)] if is_deletion else []),
                *self.move.states(at),
            ),
            metadata={
                f"{self.kind.thing}Number": self.number,
                "action": transition.name,
                "authorLogin": author and author.username,
                "authorId": author and author.source_id,
                **facts,
            },
            updated_at=first_time(self.value, "updated_at", "created_at"),
            written_at=time(self.value, "created_at") or at,
        )


def movable_item(
    kind: ItemKind, payload: Mapping[str, Any], value: Mapping[str, Any], transition: ItemTransition
) -> MovableItem:
    """Raises Missing if the payload has no repository, number or time."""
    repository = repository_of(payload)
    number, entity = kind.entity(repository, value)
    transition_time = first_time(value, transition.time, "updated_at", "created_at")
    if transition_time is None:
        raise Missing(f"{kind.field}.{transition.time}")
    move = Move(child(payload, "changes"), kind)
    builder = GitHubStatementBuilder(repository, move.arrived(entity))
    builder.refer(kind.reference, f"#{number}", entity.url)
    move.add_to(builder)
    title = text(value, "title") or ""
    return MovableItem(
        kind, payload, value, transition, number, title, transition_time, move, builder
    )
