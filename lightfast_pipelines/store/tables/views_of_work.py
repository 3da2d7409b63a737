"""The analysts' views of pull requests, their reviews, and issues."""

from __future__ import annotations

from sqlalchemy import Boolean, Integer, Text

from lightfast_pipelines.store.tables.columns import TEXTS, TIME, column
from lightfast_pipelines.store.tables.view_columns import (
    key,
    maybe,
    of_values,
    person,
    view,
)

_REPOSITORY = "Repository (`owner/name`), as it is called now."

pull_requests = view(
    "pull_requests",
    "A pull request as it is now. One of which no opening, closing or merge arrived (only commits, labels, "
    "reviews or comments) is not here until its history is read.",
    key("Key of the pull request."),
    maybe("repository", Text, _REPOSITORY),
    column("number", Integer, "Its number in the repository."),
    maybe("title", Text, "Its title now."),
    maybe("url", Text, "Its address."),
    of_values("status", "Its status.", ("draft", "open", "merged", "closed")),
    column("is_open", Boolean, "Whether it is a draft or open."),
    *person("author", "Who opened it."),
    column("created_at", TIME, "When it was opened."),
    maybe("first_review_at", TIME, "First review by somebody else than the author."),
    maybe("merged_at", TIME, "When it was merged."),
    *person("merged_by", "Who merged it."),
    maybe("closed_at", TIME, "When it was merged, or closed without a merge."),
    maybe("merge_commit", Text, "Id of the commit as which it was merged."),
    maybe("branch", Text, "Its branch."),
    of_values("category", "What it is about.", "categories"),
    column("commit_count", Integer, "Commits known to be in it, without that of the merge."),
    column("files", TEXTS, "Paths that its commits and its merge changed, as far as they arrived."),
    column("reviewers", TEXTS, "Who else reviewed it."),
    column("labels", TEXTS, "Its labels now."),
    column(
        "issues",
        TEXTS,
        "Keys of the issues that it or its commits fix, or that are tracked in it.",
    ),
    maybe(
        "deployed_at",
        TIME,
        "When production first served its commits, or a later commit of its repository.",
    ),
    maybe("last_changed_at", TIME, "Last event about it, comments included."),
)

reviews = view(
    "reviews",
    "A review of a pull request, as it counts now.",
    key("Key of the pull request.", "pull_request"),
    column("number", Integer, "Number of the pull request."),
    maybe("pull_request_title", Text, "Title of the pull request now."),
    maybe("repository", Text, _REPOSITORY),
    *person("reviewer", "Who reviewed."),
    of_values(
        "verdict",
        "What it says.",
        ("approved", "changes_requested", "commented", "dismissed", "pending"),
        nullable=True,
    ),
    column("text", Text, "Its text, as edited last; empty if it has none."),
    column("submitted_at", TIME, "When it was submitted."),
    maybe("url", Text, "Its address."),
    column("observation", Text, "The observation that says so."),
)

issues = view(
    "issues",
    "An issue of GitHub or Linear as it is now. One that was moved to another repository is shown there "
    "only. One of GitHub of which no opening or closing arrived is not here until its history is read.",
    key("Key of the issue."),
    of_values("provider", "Where it is.", ("github", "linear")),
    maybe("identifier", Text, "`#41` in its repository, or `CHK-12`."),
    maybe("repository", Text, f"{_REPOSITORY} Null for Linear."),
    maybe("team", Text, "Linear's team."),
    maybe("project", Text, "Linear's project."),
    maybe("title", Text, "Its title now."),
    maybe("url", Text, "Its address."),
    of_values(
        "status",
        "Its status: open or closed on GitHub, the others on Linear.",
        ("open", "closed", "backlog", "unstarted", "started", "completed", "canceled"),
    ),
    column("status_name", Text, "The status as its team calls it (`In Review`)."),
    column("is_open", Boolean, "Whether work on it is not over."),
    of_values(
        "priority",
        "Its priority; null for GitHub.",
        ("urgent", "high", "medium", "low", "none"),
        nullable=True,
    ),
    column("assignees", TEXTS, "Who is to do it."),
    column("labels", TEXTS, "Its labels now."),
    *person("author", "Who opened it."),
    column("created_at", TIME, "When it was opened."),
    maybe("started_at", TIME, "When work on it began first; Linear alone says so."),
    maybe("closed_at", TIME, "When it was closed, completed or canceled."),
    *person("closed_by", "Who did that."),
    maybe("close_reason", Text, "completed, not_planned, duplicate, canceled, deleted, ..."),
    of_values("category", "What it is about.", "categories"),
    column(
        "pull_requests",
        TEXTS,
        "Keys of the pull requests that fix it, themselves or by a commit, or in which it is tracked.",
    ),
    maybe("last_changed_at", TIME, "Last event about it, comments included."),
)
