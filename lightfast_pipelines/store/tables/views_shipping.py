"""The analysts' views of what reaches users, and of what breaks there."""

from __future__ import annotations

from sqlalchemy import Boolean, Date, Integer, Text

from lightfast_pipelines.store.tables.columns import TEXTS, TIME, column
from lightfast_pipelines.store.tables.view_columns import (
    key,
    maybe,
    maybe_key,
    of_values,
    person,
    view,
)

_LEVELS = ("fatal", "error", "warning", "info", "debug", "sample")
_STATUSES = (
    *("building", "waiting", "blocked", "succeeded", "failed", "canceled"),
    *("promoted", "rolled_back", "inactive"),
)

deployments = view(
    "deployments",
    "A deployment by Vercel, or one that GitHub knows. For what served an environment when, see deployment_periods.",
    key("Key of the deployment."),
    of_values("provider", "Who reported it.", ("github", "vercel")),
    maybe("project", Text, "Vercel's project; null for a deployment of GitHub."),
    maybe("repository", Text, "`owner/name` of the code that it deploys."),
    maybe("environment", Text, "`production`, `preview`, or what the provider calls another."),
    of_values(
        "status",
        "How it is now. `failed_at` also tells of one that failed and was tried again.",
        _STATUSES,
        nullable=True,
    ),
    maybe("commit", Text, "Id of the commit that it was built from."),
    maybe_key("commit_key", "Key of that commit; null if it has not arrived."),
    maybe("branch", Text, "Branch, or for GitHub the ref as stated."),
    maybe_key(
        "pull_request",
        "Pull request that was merged as the commit, or that a preview is of, or that contains the commit.",
    ),
    maybe("pull_request_number", Integer, "Its number."),
    maybe("title", Text, "Title of that pull request, else first line of the commit's message."),
    *person("author", "Who wrote the commit."),
    *person("actor", "Who deployed it."),
    column("created_at", TIME, "When it was started: the earliest that was heard of it."),
    maybe("ready_at", TIME, "When it first succeeded."),
    maybe("failed_at", TIME, "When it first failed."),
    column("is_live", Boolean, "Whether it serves an environment now, but its own preview."),
    maybe("live_from", TIME, "When it last began to serve; null if it never did."),
    maybe("live_to", TIME, "When it then stopped; null if it still serves or never did."),
    maybe("url", Text, "Address of the deployment."),
    maybe("error", Text, "Why it failed last, in the provider's words, if it said so."),
)

deployment_periods = view(
    "deployment_periods",
    "A time in which a deployment served an environment; one that is promoted again after a rollback has several.",
    key("The deployment (deployments.key).", "deployment"),
    column("environment", Text, "The environment."),
    maybe("project", Text, "Vercel's project that it served."),
    maybe("repository", Text, "Repository whose environment it was, for a deployment of GitHub."),
    column("live_from", TIME, "When it began to serve."),
    maybe("live_to", TIME, "When it stopped; null if it still serves."),
    column("is_live", Boolean, "Whether it serves now."),
    maybe("reason", Text, "What began it: succeeded, promoted, rollback, ..."),
)

releases = view(
    "releases",
    "A release of a GitHub repository.",
    key("Key of the release."),
    maybe("repository", Text, "`owner/name`."),
    column("version", Text, "Its tag."),
    maybe("name", Text, "Its title."),
    of_values(
        "status",
        "A draft is not published yet, or not any more.",
        ("draft", "published"),
        nullable=True,
    ),
    column("is_prerelease", Boolean, "Whether it is a prerelease."),
    maybe("url", Text, "Its page."),
    maybe("published_at", TIME, "When it was published; null for a draft."),
    *person("author", "Who drafted it."),
    maybe(
        "commit", Text, "Id of the commit that its tag points at now; null if no payload says it."
    ),
    maybe_key(
        "previous",
        "The release before it: published before, of the same package, with the highest version that is not "
        "higher; a prerelease only if it is one itself.",
    ),
    maybe("previous_version", Text, "Its tag."),
    column("commit_count", Integer, "Number of its rows in release_commits."),
)

release_commits = view(
    "release_commits",
    "A commit that a release has and the release before it has not.",
    key("The release (releases.key).", "release"),
    column("version", Text, "Its tag."),
    maybe("repository", Text, "`owner/name`."),
    column("commit", Text, "Id of the commit."),
    maybe_key("commit_key", "Its key; null if it is only named, and has not arrived itself."),
    maybe("title", Text, "First line of its message."),
    *person("author", "Who wrote it."),
    maybe("committed_at", TIME, "When it was written, by its author's clock."),
    maybe("released_at", TIME, "When the release was published; a window of it is found fast."),
    maybe_key("pull_request", "Pull request that was merged as the commit or contains it."),
    of_values(
        "found_by",
        "parents: the parents of all commits back to the release before are known. window: they are not, and "
        "it came onto the branch between the two tags.",
        ("parents", "window"),
    ),
)

errors = view(
    "errors",
    "An issue of Sentry: errors of one kind, or something else that Sentry finds.",
    key("Key of the issue."),
    maybe("short_id", Text, "What Sentry calls it: `SHOP-1C`."),
    maybe("title", Text, "Its title."),
    maybe("error_type", Text, "Type of the exception."),
    maybe("culprit", Text, "Where it happens, in Sentry's words."),
    maybe("project", Text, "Sentry's project."),
    of_values("level", "How bad it is, in Sentry's words.", _LEVELS, nullable=True),
    of_values(
        "status",
        "How it is now. `merged`: into another error, which goes on.",
        ("archived", "ignored", "merged", "resolved", "unresolved"),
    ),
    column("is_open", Boolean, "Whether it is unresolved."),
    *person("assignee", "Who is to look after it."),
    column("first_seen_at", TIME, "When it first happened, as far as is known."),
    column("last_seen_at", TIME, "When it last happened, as far as is known."),
    column("events", Integer, "Events that were captured; Sentry may have counted more."),
    maybe("first_release", Text, "Release in which it was first seen."),
    column("endpoints", TEXTS, "Transactions and endpoints in which it happened."),
    maybe_key(
        "caused_by",
        "Change that it began with: the pull request, else the commit, else the release or deployment.",
    ),
    maybe_key("fixed_by", "Pull request, else commit or release, that resolves it."),
    maybe("url", Text, "Its page at Sentry."),
)

error_days = view(
    "error_days",
    "How often an error happened on a day in a release, in events that were captured.",
    key("The error (errors.key).", "error"),
    maybe("short_id", Text, "What Sentry calls it."),
    maybe("title", Text, "Its title."),
    maybe("project", Text, "Sentry's project."),
    column("day", Date, "Day in UTC."),
    maybe("release", Text, "Version that the events name; null if they name none."),
    column("events", Integer, "Number of events."),
)

incidents = view(
    "incidents",
    "An alert: of a metric from its first level until it is right again, or that an error is there, once while "
    "the error is open. What caused and fixed it is known where an error is.",
    key("Key of the alert; it has a row for each incident."),
    maybe("name", Text, "Name of the alert."),
    of_values("kind", "Alert of a metric, or of an event of an error.", ("event", "metric")),
    of_values(
        "level",
        "Worst level of a metric (critical, warning, open), or level of the error.",
        ("critical", "open", *_LEVELS),
        nullable=True,
    ),
    column("started_at", TIME, "When it began."),
    maybe(
        "resolved_at", TIME, "When the metric was right again, or the error resolved or put aside."
    ),
    column("is_open", Boolean, "Whether it is not over."),
    maybe_key("error", "Error that an event alert reports (errors.key)."),
    maybe("error_title", Text, "Its title."),
    maybe_key("cause", "Change that the error began with, as errors.caused_by."),
    maybe("cause_title", Text, "Its title."),
    maybe_key("cause_pull_request", "The same if it is a pull request."),
    maybe("cause_author", Text, "Whose change it is."),
    maybe_key("fix", "What resolves the error, as errors.fixed_by."),
    maybe("fix_title", Text, "Its title."),
    maybe("fix_author", Text, "Whose change it is."),
    maybe("fixed_at", TIME, "When it was merged or made; the error may be resolved later."),
    maybe("url", Text, "Page of the event or of the alert at Sentry."),
)
