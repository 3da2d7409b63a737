"""Issues and discussions that are moved to another repository and get another number there.

Both repositories send an event, in either order, and each names both ends. Mentions of the old number
lead to the new one, and the opening is shown only where the item is now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import StateChange, Thing, deletion
from lightfast_pipelines.providers.fields import child, moment_key, text, time, url, whole
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks.item_kinds import ItemKind
from lightfast_pipelines.providers.github.webhooks.repository import Repository, full_name
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder

RELATION = "moved_to"
_CLOSED_RANK = 4


class Move:
    """The other end of the move that a payload's `changes` name: where the item went or came from."""

    def __init__(self, changes: Mapping[str, Any], kind: ItemKind) -> None:
        self._kind = kind
        self.to = self._end(changes, "new")
        self.origin = self._end(changes, "old")
        self._item = child(changes, f"old_{kind.field}")

    def _end(self, changes: Mapping[str, Any], side: str) -> tuple[Thing, str] | None:
        item = child(changes, f"{side}_{self._kind.field}")
        place = child(changes, f"{side}_repository")
        number, place_id = whole(item, "number"), identity(place)
        if number is None or place_id is None:
            return None
        name = full_name(place)
        repository = Repository(place_id, name, url(place), None)
        thing = repository.numbered_thing(
            self._kind.key(place_id, number), number, text(item, "title") or "", url(item)
        )
        return thing, f"{name or place_id}#{number}"

    def arrived(self, subject: Thing) -> Thing:
        """The subject; if it came from another repository, the old number leads to it."""
        return subject if self.origin is None else _answering(subject, self.origin[0])

    def add_to(self, builder: GitHubStatementBuilder) -> None:
        if self.to is not None:
            thing, shown = _answering(self.to[0], builder.subject), self.to[1]
            builder.refer(self._kind.reference, shown, thing.url, "transferred to")
            builder.relate(RELATION, thing)
        if self.origin is not None:
            thing, shown = self.origin
            builder.refer(self._kind.reference, shown, thing.url, "transferred from")
            builder.relate_from(thing, RELATION)

    def states(self, at: datetime) -> tuple[StateChange, ...]:
        """Where the item came from elsewhere: the old number is closed, and its opening is superseded."""
        if self.origin is None:
            return ()
        thing = self.origin[0]
        moved_at, opened_at = time(self._item, "updated_at") or at, time(self._item, "created_at")
        closed = StateChange(
            thing,
            "status",
            "closed",
            moved_at,
            _CLOSED_RANK,
            reason="transferred",
            metadata={"reason": "transferred"},
        )
        if opened_at is None:
            return (closed,)
        opening = keys.source_id(thing.key, self._kind.opening, moment_key(opened_at))
        return closed, deletion(Thing(keys.telling(opening)), at)


def _answering(thing: Thing, old: Thing) -> Thing:
    by_id = next((alias for alias in old.aliases if keys.number_by_id(alias)), None)
    return thing if by_id is None else replace(thing, aliases=(*thing.aliases, keys.moved(by_id)))
