"""The analysts' views of files, repositories and people."""

from __future__ import annotations

from sqlalchemy import Integer, Text

from lightfast_pipelines.store.tables.columns import TEXTS, TIME, column
from lightfast_pipelines.store.tables.view_columns import (
    key,
    maybe,
    maybe_key,
    of_values,
    person,
    view,
)

file_changes = view(
    "file_changes",
    "A commit changed a file. Of a commit that changes more than 300 files, the first 300 by name.",
    column("path", Text, "Path of the file in its repository."),
    of_values(
        "change",
        "What the commit did to it; null where no payload says.",
        ("added", "modified", "removed"),
        nullable=True,
    ),
    maybe("repository", Text, "Repository (`owner/name`) of the commit, as it is called now."),
    column("commit", Text, "Id of the commit."),
    key("Key of the commit.", "commit_key"),
    column("title", Text, "First line of its message."),
    *person("author", "Who wrote it."),
    column("committed_at", TIME, "When its author made it."),
    maybe("branch", Text, "Branch to which it was pushed first."),
    maybe_key("pull_request", "Key of the pull request that brought it in, if one is known."),
    maybe("url", Text, "Address of the commit."),
)

repositories = view(
    "repositories",
    "A repository that is linked to the workspace.",
    key("Key of the repository."),
    column("name", Text, "`owner/name` as it is called now."),
    maybe("url", Text, "Its address."),
    maybe("latest_release", Text, "Tag of its latest release."),
    column("open_pull_requests", Integer, "Pull requests that are open now, drafts included."),
    column("open_issues", Integer, "Issues that are open now."),
    maybe("last_commit_at", TIME, "When its latest commit was made."),
    maybe("last_deployed_at", TIME, "Since when the latest of what is live now is live."),
)

people = view(
    "people",
    "A person or bot who did something in the workspace. One whose accounts nothing joins has several rows.",
    column("person_id", Text, "Id of the actor; `author_id`, `actor_id`, ... of other views."),
    column("name", Text, "Best known name."),
    of_values("kind", "Kind of actor.", ("person", "bot", "organization", "unknown")),
    column("usernames", TEXTS, "Logins at the providers."),
    column("observation_count", Integer, "Observations that they took part in."),
    maybe("first_active_at", TIME, "First event by them or about their work."),
    maybe("last_active_at", TIME, "Their latest action."),
    column(
        "expertise",
        TEXTS,
        "Up to ten domains, strongest first: `directory:src/cart`, `category:bug_fix`, an entity's key.",
    ),
    column("works_with", TEXTS, "With whom they work, most interactions first."),
    column("teams", TEXTS, "Linear's teams on whose issues they worked lately."),
)
