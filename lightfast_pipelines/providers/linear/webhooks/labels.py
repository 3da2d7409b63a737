"""`IssueLabel`: `issue-label.created|deleted|archived|unarchived|name-changed|description-changed|team-changed`.

The issues say which labels they have.
"""

from __future__ import annotations

from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import child, name_of, text
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, archived, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.transitions import Described, EntityKind


def _describe(event: LinearEvent) -> Described:
    data = event.data
    name = name_of(data, "name") or ""
    subject = Thing(linear_keys.label(event.id), name or None, event.url)
    builder = LinearStatementBuilder(subject)
    builder.refer("label", name or event.id)
    team_id = linked_id(data, "team")
    builder.add_team(team_id, child(data, "team"))
    author = author_of(data, "creator")
    return Described(
        subject.key,
        builder,
        name,
        (name, text(data, "description")),
        author,
        {
            "labelId": event.id,
            "labelName": name or None,
            "color": name_of(data, "color"),
            "teamId": team_id,
            "creatorId": author and author.source_id,
        },
    )


LABEL = EntityKind(
    thing="issue-label",
    tags=("Label Created", "Label Updated", "Label Deleted"),
    weights=(15, 15),
    fields=(
        archived(10),
        Field("name", ("name",), "name-changed", 15, was=shown),
        Field("description", ("description",), "description-changed", 10),
        Field("team", ("teamId", "team"), "team-changed", 10),
    ),
    describe=_describe,
)
