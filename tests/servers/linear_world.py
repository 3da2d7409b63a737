"""A small organization at Linear: what is done in it changes items, is kept as history and is sent as
webhooks, as in Linear itself.

`linear.py` answers GraphQL requests about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.servers.linear_ground import Json, text_of
from tests.servers.linear_issues import LinearIssues
from tests.servers.linear_planning import LinearPlanning


class World(LinearIssues, LinearPlanning):
    """One organization with two teams."""

    def edit(self, thing: Json, by: Json) -> None:
        """Edits a comment or a report; `editedAt` is some milliseconds off, as in Linear."""
        at = self.tick()
        updated_from = {"body": thing["body"], "updatedAt": thing["updatedAt"]}
        off = timedelta(milliseconds=self.random.choice((-1, 0, 3)))
        thing["editedAt"], thing["updatedAt"] = text_of(self.now + off), at
        thing["body"] += " It is edited."
        kind = "Comment" if "issue" in thing else "ProjectUpdate"
        data = self._comment_data(thing) if kind == "Comment" else self._update_data(thing)
        self.send(kind, "update", data, at, thing["url"], by, updated_from)


def webhooks(world: World) -> Iterator[tuple[str, Json]]:
    """(event, body) of everything that was done."""
    yield from world.sent
