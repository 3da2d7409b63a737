"""Reports on a project or an initiative, with its health. Linear calls them updates.

`projects.py` and `initiatives.py` read the project or the initiative itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.providers.fields import Missing, child, cut, name_of, text, url
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, health
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.health import health_states, marked
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import line
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    LinearTransition,
)


def report_of(
    thing: str,
    *,
    alias: Callable[[str], str],
    subject: Callable[[str], str],
    begins: Callable[[str], str],
) -> EntityKind:
    """The kind of reports on a `thing` (`project`, `initiative`).

    The functions make keys from ids: `alias` is what comments call the report, `subject` is the thing
    that it is about, and `begins` starts the source ids of its observations.
    """
    name = thing.capitalize()

    def describe(event: LinearEvent) -> Described:
        data = event.data
        about, about_id = child(data, thing), linked_id(data, thing)
        if about_id is None:
            raise Missing(f"data.{thing}Id")
        title, body = name_of(about, "name"), text(data, "body") or ""
        of = Thing(subject(about_id), title, url(about, "url"), (alias(event.id),))
        builder = LinearStatementBuilder(of)
        builder.refer(thing, title or about_id, of.url)
        author = author_of(data, "user")
        return Described(
            begins(event.id),
            builder,
            f"{cut(title or name, 80)}: {cut(' '.join(body[:300].split()), 60)}",
            (text(data, "body"), line(name, title), line("Health", marked(data))),
            author,
            {
                "updateId": event.id,
                "url": event.url or url(data, "url"),
                f"{thing}Id": about_id,
                f"{thing}Name": title,
                "health": name_of(data, "health"),
                "editedAt": name_of(data, "editedAt"),
                "userId": author and author.source_id,
            },
        )

    def states(
        data: Mapping[str, Any], subject: Thing, transition: LinearTransition
    ) -> Sequence[StateChange]:
        """The health of the project or initiative."""
        if transition.name != "created" and transition.field != "health":
            return ()
        return health_states(data, subject, transition.at, f"{thing}-update.{transition.name}")

    return EntityKind(
        thing=f"{thing}-update",
        tags=(f"{name} Update Posted", f"{name} Update Edited", f"{name} Update Deleted"),
        weights=(45, 25),
        fields=(
            Field("text", ("body", "bodyData"), "edited", 30),
            health(),
        ),
        describe=describe,
        states=states,
        edited_by_author=True,
    )
