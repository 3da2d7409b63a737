"""The things that Sentry's payloads name: issues, alerts, releases, commits, pull requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import Missing, child, name_of, url, whole
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.place import SentryPlace
from lightfast_pipelines.providers.sentry.webhooks.titles import title_of_issue
from lightfast_pipelines.providers.sentry.webhooks.values import identity

LONGEST_TITLE = 200
_SHORT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}-[0-9A-Za-z]{1,12}")
SHA = re.compile(r"[0-9a-f]{40}", re.I)
_SHA_WITHIN = re.compile(r"(?<![0-9a-z])[0-9a-f]{40}(?![0-9a-z])", re.I)
_SHORT_SHA = re.compile(r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,39}")
_DESCRIBED = re.compile(r"-\d+-g([0-9a-f]{7,40})(?:-dirty)?$")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9_.-]{1,100}")
_PULL_REQUEST = re.compile(r"https://([\w.-]+)/([\w.-]+/[\w.-]+)/pull/([1-9]\d{0,8})")


def issue_thing(
    place: SentryPlace,
    issue_id: str,
    *,
    title: str | None = None,
    short_id: str | None = None,
    address: str | None = None,
) -> Thing:
    """Raises Missing if the project's number, which is part of the key, is unknown."""
    site = place.server
    aliases = [
        sentry_keys.issue_by_id(issue_id),
        keys.sentry_issue_by_address(site, issue_id),
    ]
    if short_id is not None and _SHORT_ID.fullmatch(short_id):
        aliases.append(keys.sentry_issue_by_short_id(short_id))
        if place.organization is not None:
            aliases.append(keys.sentry_issue_in(site, place.organization, short_id))
    return Thing(
        sentry_keys.issue(place.project_number, issue_id),
        title[:LONGEST_TITLE] if title else None,
        address,
        tuple(dict.fromkeys(aliases)),
    )


def issue_in(place: SentryPlace, issue: Mapping[str, Any], number: str) -> Thing:
    """The issue that a payload shows as a whole. Raises Missing, as `issue_thing`."""
    return issue_thing(
        place,
        number,
        title=title_of_issue(issue),
        short_id=name_of(issue, "shortId"),
        address=url(issue, "permalink") or url(issue, "web_url") or url(issue, "webUrl"),
    )


def issue_by_number(issue_id: str) -> Thing:
    """A stub for an issue of which only the number is known; it also finds the issue it was merged into."""
    alias = sentry_keys.issue_by_id(issue_id)
    return Thing(alias, aliases=(keys.sentry_merged_issue(issue_id),))


def issue_alert_thing(place: SentryPlace, rule: str) -> Thing:
    """An alert rule for issues, by project and name: payloads give its number only if it uses a form of
    the integration. Raises Missing."""
    key = sentry_keys.issue_alert(place.project_number, " ".join(rule.split())[:LONGEST_TITLE])
    return Thing(key, rule[:LONGEST_TITLE])


def release_thing(place: SentryPlace, version: str) -> Thing:
    """A release of the organization; an alias by the installation while only that is known."""
    installation = place.installation
    alias = sentry_keys.release_by_installation(installation, version) if installation else None
    organization = place.organization_name
    if organization is None:
        if alias is None:
            raise Missing("the organization")
        return Thing(alias, version)
    aliases = (alias,) if alias else ()
    return Thing(sentry_keys.release(organization, version), version, aliases=aliases)


def commit_of_version(version: str) -> Thing | None:
    """The commit that a version names: its full id anywhere in the version (`web-` before it), or a short
    id that is the whole version, follows `package@`, is a part of the build metadata
    (`app@1.2.3+9f8e7d6`), or was appended by `git describe` (`v1.2.3-5-g9f8e7d6`).

    A full id gets no name, so that the commit's headline from GitHub becomes its name.
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


def repository_of_commit(value: Mapping[str, Any]) -> str | None:
    """The full name of a GitHub repository, which may be text or an object."""
    name = name_of(value, "repository") or name_of(child(value, "repository"), "name")
    return name if name and _REPOSITORY.fullmatch(name) else None


def pull_request_of(value: Mapping[str, Any]) -> Thing | None:
    """`pullRequest`: by its `externalUrl`, or by a repository and a number."""
    pull_request = child(value, "pullRequest")
    address = url(pull_request, "externalUrl") or url(pull_request, "url")
    match = _PULL_REQUEST.match(address or "")
    if match is not None:
        host, repository, number = match[1].lower(), match[2], match[3]
    else:
        host = keys.GITHUB
        repository = repository_of_commit(pull_request) or ""
        number = identity(pull_request, "id") or ""
        if not repository or whole({"id": int(number) if number.isdigit() else None}, "id") is None:
            return None
    alias = keys.github_number_by_name(repository, number, host)
    return Thing(alias, f"{repository}#{number}", address)
