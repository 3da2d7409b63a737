"""The things Sentry's payloads point at, and the relations that they spell out.

An issue, the releases it came with and went by, the commits and pull requests that resolved it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import AccountMention, Edge, Mention, Reference, Thing
from lightfast_pipelines.providers.fields import Missing, child, name_of, text, url, whole
from lightfast_pipelines.providers.sentry.accounts import Assignee
from lightfast_pipelines.providers.sentry.place import SentryPlace
from lightfast_pipelines.providers.sentry.webhooks.values import identity, is_version

_LONGEST_TITLE = 200
_SHORT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}-[0-9A-Za-z]{1,12}")
_SHA = re.compile(r"[0-9a-f]{40}", re.I)
_SHA_WITHIN = re.compile(r"(?<![0-9a-z])[0-9a-f]{40}(?![0-9a-z])", re.I)
_SHORT_SHA = re.compile(r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,39}")
_DESCRIBED = re.compile(r"-\d+-g([0-9a-f]{7,40})(?:-dirty)?$")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9_.-]{1,100}")
_PULL_REQUEST = re.compile(r"https://([\w.-]+)/([\w.-]+/[\w.-]+)/pull/([1-9]\d{0,8})")
_TRACKED_IN_LINEAR = re.compile(
    r"https://linear\.app/([\w-]{1,100})/issue/([A-Za-z0-9]{1,20}-[1-9]\d{0,8})(?!\w)"
)
_TRACKED = re.compile(r"https://([\w.-]+)/([\w.-]+/[\w.-]+)/issues/([1-9]\d{0,8})(?!\w)")


class Parts:
    """References, mentions, edges and accounts of one statement about `subject`."""

    def __init__(self, place: SentryPlace, subject: Thing) -> None:
        self.place = place
        self.subject = subject
        self.accounts: list[AccountMention] = []
        self.references: list[Reference] = []
        # A dictionary for its order and its look-up: an alert can name thousands of projects.
        self.mentions: dict[Mention, None] = {Mention(subject, "subject"): None}
        self._mentioned = {subject.key}
        self.edges: list[Edge] = []

    def relate(self, subject: Thing, relation: str, thing: Thing, confidence: float = 1.0) -> None:
        """`subject` stands in this relation to `thing`; whichever is not the statement's is mentioned."""
        other = subject if thing.key == self.subject.key else thing
        if other.key not in self._mentioned:
            self.mention(other, "reference")
        self.edges.append(Edge(subject, relation, thing, confidence))

    def mention(self, thing: Thing, role: str, confidence: float = 1.0) -> None:
        self.mentions[Mention(thing, role, confidence=confidence)] = None
        self._mentioned.add(thing.key)

    def add_project(self, belongs: bool = True) -> None:
        """The project: what an issue belongs to."""
        project = self.place.project()
        shown = self.place.project_slug or self.place.project_id
        if shown is not None:
            self.references.append(Reference("project", shown))
        if project is not None:
            self.mention(project, "project")
            if belongs:
                self.edges.append(Edge(self.subject, "belongs_to", project))

    def add_assignee(self, assignee: Assignee | None) -> None:
        if assignee is not None:
            shown = assignee.name or assignee.key.rpartition(":")[2]
            self.references.append(Reference("assignee", shown))
            self.mention(assignee.thing, "assignee")
            if assignee.account is not None:
                self.accounts.append(AccountMention("assignee", assignee.account))

    def add_release(self, version: str, label: str | None = None) -> Thing:
        """A release by its version; where that is a commit's id, it contains the commit."""
        release = release_thing(self.place, version)
        self.references.append(Reference("release", version, None, label))
        self.mention(release, "release")
        commit = commit_of_version(version)
        if commit is not None:
            self.edges.append(Edge(release, "contains", commit))
            self.mention(commit, "reference")
        return release

    def add_resolution(self, issue: Mapping[str, Any]) -> None:
        """What `statusDetails` says resolved it: a commit, its pull request, a release."""
        details = child(issue, "statusDetails")
        commit = details.get("inCommit")
        found = commit if isinstance(commit, dict) else {"id": commit}
        sha = name_of(found, "id") or name_of(found, "commit")
        if sha is not None and _SHA.fullmatch(sha):
            name = (text(found, "message") or "").partition("\n")[0][:_LONGEST_TITLE]
            repository = _repository(found)
            address = f"https://github.com/{repository}/commit/{sha}" if repository else None
            thing = Thing(keys.github_commit(sha), name or None, address)
            self.references.append(Reference("commit", sha, address, "resolved_by"))
            self.relate(thing, "resolves", self.subject)
        for pull_request in filter(None, (pull_request_of(found), pull_request_of(details))):
            shown = pull_request.name or pull_request.key
            self.references.append(Reference("pr", shown, pull_request.url, "resolved_by"))
            self.relate(pull_request, "resolves", self.subject)
        self._add_releases(details)

    def add_tracker(self, external: Mapping[str, Any]) -> None:
        """An issue of GitHub's or Linear's that was made of this one or linked with it."""
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
        self.references.append(Reference("issue", label or address[:200], address, "linked"))
        if thing is not None:
            self.relate(thing, "references", self.subject)

    def _add_releases(self, details: Mapping[str, Any]) -> None:
        for name in ("inRelease", "inNextRelease"):
            version = name_of(details, name) or name_of(child(details, name), "version")
            if version is not None and is_version(version):
                release = self.add_release(version, "resolved_by")
                self.relate(release, "resolves", self.subject)


def issue_thing(
    place: SentryPlace,
    issue_id: str,
    *,
    title: str | None = None,
    short_id: str | None = None,
    address: str | None = None,
) -> Thing:
    """Raises Missing where the project's number is not known: it is a part of the key."""
    site = place.server
    aliases = [
        keys.sentry_issue_by_id(issue_id),
        keys.sentry_issue_by_address(site, issue_id),
    ]
    if short_id is not None and _SHORT_ID.fullmatch(short_id):
        aliases.append(keys.sentry_issue_by_short_id(short_id))
        if place.organization is not None:
            aliases.append(keys.sentry_issue_in(site, place.organization, short_id))
    return Thing(
        keys.sentry_issue(place.project_number, issue_id),
        title[:_LONGEST_TITLE] if title else None,
        address,
        tuple(dict.fromkeys(aliases)),
    )


def issue_by_number(issue_id: str) -> Thing:
    """A stub for an issue by its number alone, which leads on to the one that it was merged into."""
    alias = keys.sentry_issue_by_id(issue_id)
    return Thing(alias, aliases=(keys.sentry_merged_issue(issue_id),))


def issue_alert_thing(place: SentryPlace, rule: str) -> Thing:
    """An issue rule: its number comes only where it has a form of the integration, its name always
    does, and every project has rules of its own by the same names. Raises Missing."""
    key = keys.sentry_issue_alert(place.project_number, " ".join(rule.split())[:_LONGEST_TITLE])
    return Thing(key, rule[:_LONGEST_TITLE])


def release_thing(place: SentryPlace, version: str) -> Thing:
    """By organisation; where only the installation is known, by an alias that waits for it."""
    installation = place.installation
    alias = keys.sentry_release_by_installation(installation, version) if installation else None
    organization = place.organization_name
    if organization is None:
        if alias is None:
            raise Missing("the organization")
        return Thing(alias, version)
    aliases = (alias,) if alias else ()
    return Thing(keys.sentry_release(organization, version), version, aliases=aliases)


def commit_of_version(version: str) -> Thing | None:
    """The commit that a version names: by its whole id wherever that stands (`web-` before it), else by
    digits of it that are all of the version, what stands behind `package@`, a part of the build's metadata
    (`app@1.2.3+9f8e7d6`), or what `git describe` appends (`v1.2.3-5-g9f8e7d6`).

    Without a name: digits of its id must not stand in for its headline, which GitHub tells.
    """
    own = version.rpartition("@")[2]
    parts = [own, *own.partition("+")[2].split(".")]
    if match := _DESCRIBED.search(own):
        parts.append(match[1])
    if match := _SHA_WITHIN.search(version):
        return Thing(keys.github_commit(match[0]))
    for sha in parts:
        if _SHORT_SHA.fullmatch(sha):
            return Thing(keys.github_short_sha(sha), sha)
    return None


def _repository(value: Mapping[str, Any]) -> str | None:
    """A repository of GitHub by its full name, as an object or as text."""
    found = name_of(value, "repository") or name_of(child(value, "repository"), "name")
    return found if found and _REPOSITORY.fullmatch(found) else None


def pull_request_of(value: Mapping[str, Any]) -> Thing | None:
    """The pull request beside a commit: `externalUrl`, or a repository and a number."""
    found = child(value, "pullRequest")
    address = url(found, "externalUrl") or url(found, "url")
    match = _PULL_REQUEST.match(address or "")
    if match is not None:
        host, repository, number = match[1].lower(), match[2], match[3]
    else:
        host = keys.GITHUB
        repository, number = _repository(found) or "", identity(found, "id") or ""
        if not repository or whole({"id": int(number) if number.isdigit() else None}, "id") is None:
            return None
    alias = keys.github_number_by_name(repository, number, host)
    return Thing(alias, f"{repository}#{number}", address)
