"""The analysts' views of what happened, and of states."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB

from lightfast_pipelines.store.tables.columns import TEXTS, TIME, column
from lightfast_pipelines.store.tables.view_columns import key, maybe, of_values, person, view

changes = view(
    "changes",
    "Somebody did something to something: an observation that is not deleted, with names instead of ids.",
    column("occurred_at", TIME, "When it happened, by the provider's clock."),
    of_values("provider", "Who reported it.", "providers"),
    of_values("thing", "Kind of thing, the first half of `type`.", "things"),
    of_values("change", "What happened to it, the second half of `type`.", "changes"),
    of_values("type", "Both: `pull-request.merged`.", "types"),
    column("title", Text, "One line."),
    column("text", Text, "What was written: a message, a description, a comment."),
    maybe("url", Text, "Address of the comment or review, else of the thing."),
    key("Key of the thing, by which other views name it too."),
    maybe("name", Text, "The thing's latest name or title."),
    maybe("repository", Text, "`owner/name` as it is called now; null where none is known."),
    *person("actor", "Who did it."),
    *person("author", "Whose work it is: of a merge, who wrote the pull request."),
    of_values("category", "What it is about.", "categories"),
    column("topics", TEXTS, "Topics, most telling first."),
    column("significance", Integer, "0 to 100."),
    maybe("cluster_id", Text, "The piece of work that it belongs to (clusters.id)."),
    maybe("cluster", Text, "What that piece of work is about."),
    column("observation", Text, "Id of the observation (observations.external_id)."),
)


def _of_a_state() -> tuple[Column[Any], ...]:
    return (
        key("Key of the thing."),
        of_values("thing", "Kind of thing.", "kinds"),
        maybe("name", Text, "Its name or title."),
        of_values("state_type", "Kind of state.", "state_types"),
        of_values("value", "What holds.", "state_values"),
        column("since", TIME, "Since when."),
        *person("changed_by", "Who brought it about."),
        maybe("reason", Text, "Why: the change that did, or what the provider says (`completed`)."),
        column("metadata", JSONB, "Details: Linear's own name of a status, an assignee's names."),
        maybe("observation", Text, "The observation that began it."),
    )


current_states = view(
    "current_states",
    "A state that holds now, as far as is known now: at most one row for a thing and a kind of state.",
    *_of_a_state(),
)

state_intervals = view(
    "state_intervals",
    "A time in which a state held, as believed now: the intervals of one thing and kind do not overlap. "
    "Ask `state_at` about a moment, and `states_as_known` about what was believed then.",
    *_of_a_state(),
    column("valid_from", TIME, "When it began; the same as `since`."),
    maybe("valid_to", TIME, "When it ended; null: it still holds."),
    column("is_current", Boolean, "Whether it holds now."),
)
