"""Reports on a project or an initiative (Linear calls them updates): what was written, and the health.

What a project or an initiative itself is stands in `projects.py` and `initiatives.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.providers.fields import Missing, child, cut, name_of, text, url
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, plain, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.health import health_states, marked
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import line
from lightfast_pipelines.providers.linear.webhooks.transitions import Described, EntityKind


def report_of(
    thing: str,
    *,
    alias: Callable[[str], str],
    subject: Callable[[str], str],
    begins: Callable[[str], str],
) -> EntityKind:
    """The kind of a report on a `thing` (`project`, `initiative`).

    From ids: `alias` by which comments name the report, `subject` that it is about, `begins` the ids
    of its observations.
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
        event: LinearEvent,
        described: Described,
        transition: str,
        changed: Field | None,
        at: datetime,
    ) -> Sequence[StateChange]:
        """The health of what it is about."""
        if transition != "created" and (changed is None or changed.label != "health"):
            return ()
        return health_states(
            event.data, described.builder.subject, at, f"{thing}-update.{transition}"
        )

    return EntityKind(
        thing=f"{thing}-update",
        tags=(f"{name} Update Posted", f"{name} Update Edited", f"{name} Update Deleted"),
        weights=(45, 25),
        fields=(
            Field("text", ("body", "bodyData"), "edited", 30),
            Field("health", ("health",), "health-changed", 35, plain("health"), shown),
        ),
        describe=describe,
        states=states,
        edited_by_author=True,
    )
