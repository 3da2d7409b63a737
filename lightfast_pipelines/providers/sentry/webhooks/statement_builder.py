"""Adds what Sentry's payloads have in common: project, assignee, releases, what resolved an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Thing
from lightfast_pipelines.providers.fields import child, name_of, text, url
from lightfast_pipelines.providers.sentry.accounts import Assignee
from lightfast_pipelines.providers.sentry.place import SentryPlace
from lightfast_pipelines.providers.sentry.webhooks.things import (
    LONGEST_TITLE,
    SHA,
    commit_of_version,
    pull_request_of,
    release_thing,
    repository_of_commit,
)
from lightfast_pipelines.providers.sentry.webhooks.values import is_version
from lightfast_pipelines.providers.statement_builder import StatementBuilder

_TRACKED_IN_LINEAR = re.compile(
    r"https://linear\.app/([\w-]{1,100})/issue/([A-Za-z0-9]{1,20}-[1-9]\d{0,8})(?!\w)"
)
_TRACKED = re.compile(r"https://([\w.-]+)/([\w.-]+/[\w.-]+)/issues/([1-9]\d{0,8})(?!\w)")


class SentryStatementBuilder(StatementBuilder):
    """Builds a statement about a thing in a project or an organization of Sentry."""

    def __init__(self, place: SentryPlace, subject: Thing) -> None:
        super().__init__("sentry", subject)
        self.place = place

    def add_project(self, belongs: bool = True) -> None:
        """The project: an issue belongs to it, an alert only mentions it."""
        project = self.place.project()
        shown = self.place.project_slug or self.place.project_id
        if shown is not None:
            self.refer("project", shown)
        if project is not None:
            self.mention(project, "project")
            if belongs:
                self.edges.append(Edge(self.subject, "belongs_to", project))

    def add_assignee(self, assignee: Assignee | None) -> None:
        if assignee is not None:
            shown = assignee.name or assignee.key.rpartition(":")[2]
            self.refer("assignee", shown)
            self.mention(assignee.thing, "assignee")
            self.add_account("assignee", assignee.account)

    def add_release(self, version: str, label: str | None = None) -> Thing:
        """A release by its version; if that names a commit, the release contains it."""
        release = release_thing(self.place, version)
        self.refer("release", version, label=label)
        self.mention(release, "release")
        commit = commit_of_version(version)
        if commit is not None:
            self.edges.append(Edge(release, "contains", commit))
            self.mention(commit)
        return release

    def add_resolution(self, issue: Mapping[str, Any]) -> None:
        """What resolved the issue by `statusDetails`: a commit, its pull request, a release."""
        details = child(issue, "statusDetails")
        commit = details.get("inCommit")
        commit = commit if isinstance(commit, dict) else {"id": commit}
        sha = name_of(commit, "id") or name_of(commit, "commit")
        if sha is not None and SHA.fullmatch(sha):
            name = (text(commit, "message") or "").partition("\n")[0][:LONGEST_TITLE]
            repository = repository_of_commit(commit)
            address = f"https://github.com/{repository}/commit/{sha}" if repository else None
            thing = Thing(keys.github_commit(sha), name or None, address)
            self.refer("commit", sha, address, "resolved_by")
            self.relate_from(thing, "resolves")
        for pull_request in filter(None, (pull_request_of(commit), pull_request_of(details))):
            shown = pull_request.name or pull_request.key
            self.refer("pr", shown, pull_request.url, "resolved_by")
            self.relate_from(pull_request, "resolves")
        self._add_releases(details)

    def add_fixes(self, pull_requests: Iterable[Thing], issue: Thing) -> None:
        """Pull requests that Seer made to resolve the issue."""
        for pull_request in pull_requests:
            self.refer("pr", pull_request.name or pull_request.key, pull_request.url, "created")
            self.mention(pull_request)
            self.edges.append(Edge(pull_request, "resolves", issue, 0.9))

    def add_tracker(self, external: Mapping[str, Any]) -> None:
        """An issue on GitHub or in Linear that was created from this one or linked to it."""
        address, label = url(external, "location"), name_of(external, "label")
        if address is None:
            return
        thing: Thing | None = None
        if match := _TRACKED.match(address):
            alias = keys.github_number_by_name(match[2], match[3], match[1].lower())
            thing = Thing(alias, url=address)
        elif match := _TRACKED_IN_LINEAR.match(address):
            alias = keys.linear_issue_by_address(match[1], match[2])
            thing = Thing(alias, match[2].upper(), address)
        self.refer("issue", label or address[:200], address, "linked")
        if thing is not None:
            self.relate_from(thing, "references")

    def _add_releases(self, details: Mapping[str, Any]) -> None:
        for name in ("inRelease", "inNextRelease"):
            version = name_of(details, name) or name_of(child(details, name), "version")
            if version is not None and is_version(version):
                release = self.add_release(version, "resolved_by")
                self.edges.append(Edge(release, "resolves", self.subject))
