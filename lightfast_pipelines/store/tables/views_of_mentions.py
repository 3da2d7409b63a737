"""The analysts' view of mentions."""

from __future__ import annotations

from sqlalchemy import Text

from lightfast_pipelines.store.tables.columns import TIME, column
from lightfast_pipelines.store.tables.view_columns import key, maybe, of_values, view

mentions = view(
    "mentions",
    "An observation names a thing: an endpoint, a file, a pull request. What it is about is named, too.",
    key("Key of the thing: `endpoint:POST /charges`."),
    of_values("thing", "Kind of thing.", "kinds"),
    maybe("name", Text, "Its name or title."),
    of_values("role", "How it is named: subject, reference, text, file, ...", "roles"),
    maybe("evidence", Text, "The words that name it; of a file, what became of it."),
    column("occurred_at", TIME, "When the observation happened."),
    of_values("type", "Type of the observation.", "types"),
    column("title", Text, "Its title."),
    key("Key of the thing that it is about.", "subject"),
    column("observation", Text, "Its id (changes.observation)."),
)
