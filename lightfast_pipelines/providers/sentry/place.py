"""Finds the installation, organization and project of a payload, and routes it by them.

Only errors and issues carry a project's number, and only addresses name the organization.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Route, Thing
from lightfast_pipelines.providers.fields import Missing, child, name_of, url
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import resource_of
from lightfast_pipelines.providers.sentry.webhooks.values import identity

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.I)
RESOURCE_ID = re.compile(
    r"(?:[1-9]\d*|[a-z0-9_][a-z0-9_-]*/[a-z0-9_][a-z0-9_-]*)(?:@[a-z0-9][a-z0-9.-]*)?"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_PROJECT = re.compile(r"/api/0/projects/([\w-]+)/([\w-]+)/")
_ORGANIZATION = re.compile(r"/organizations/([\w-]+)/")
_OLD_PERMALINK = re.compile(r"/([\w-]+)/([\w-]+)/issues/\d+")
# Subdomains of sentry.io that are a region or the site itself, not an organization.
_NO_ORGANIZATION = frozenset({"www", "us", "de", "eu", "app", "s1", "docs"})
_ADDRESSES = ("url", "web_url", "issue_url", "project_url", "permalink", "webUrl")


@dataclass(frozen=True, slots=True)
class SentryPlace:
    """`organization` and `project_slug` come from addresses and can be renamed. `site` is the server of the
    addresses (`keys.sentry_site`)."""

    installation: str | None
    organization: str | None
    project_id: str | None = None
    project_slug: str | None = None
    project_name: str | None = None
    site: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The metadata that every observation has."""
        return {
            "projectId": self.project_id,
            "projectSlug": self.project_slug,
            "projectName": self.project_name,
            "organizationSlug": self.organization,
            "installationId": self.installation,
        }

    @property
    def server(self) -> str:
        """`site`; without any address sentry.io, whose keys name no server."""
        return self.site or keys.SENTRY_CLOUD

    def at_server(self, number: str) -> str:
        """A number as keys have it: every server numbers projects, issues and accounts from 1."""
        return keys.at_sentry_site(number, self.server)

    @property
    def project_number(self) -> str:
        """The project's number as keys have it. Raises Missing if it is unknown."""
        if self.project_id is None:
            raise Missing("the project's id")
        return self.at_server(self.project_id)

    @property
    def organization_name(self) -> str | None:
        """The organization's name as keys have it; it is unique on its server."""
        name = self.organization
        return None if name is None else sentry_keys.organization(self.server, name)

    def project(self) -> Thing | None:
        if self.project_id is None:
            return None
        organization, slug = self.organization_name, self.project_slug
        aliases = (
            (sentry_keys.project_by_slug(organization, slug),) if organization and slug else ()
        )
        name = self.project_name or self.project_slug
        return Thing(sentry_keys.project(self.project_number), name, aliases=aliases)


def place_of(payload: Mapping[str, Any]) -> SentryPlace:
    """Never fails: what the payload lacks is None."""
    data = child(payload, "data")
    installed = child(data, "installation")
    installation = identity(child(payload, "installation"), "uuid") or identity(installed, "uuid")
    node = _node(payload)
    addresses = [*_addresses(node), *_addresses(data)]
    organization, slug = _from_addresses(addresses)
    site = next(filter(None, map(_site, addresses)), None)
    organization = _slug(child(installed, "organization"), "slug") or organization
    project = child(node, "project")
    if resource_of(payload) == "metric_alert":
        # Webhooks give only slugs of an alert's projects; a record of the API adds the linked project.
        number = identity(project, "id")
        slug = next(iter(slugs(node)), None)
        return SentryPlace(installation, organization, number, slug, site=site)
    return SentryPlace(
        installation,
        organization,
        identity(project, "id") or identity(node, "project", "projectID"),
        _slug(project, "slug") or _slug(data, "project_slug") or slug,
        name_of(project, "name"),
        site,
    )


def slugs(metric_alert: Mapping[str, Any]) -> list[str]:
    """The slugs of a metric alert's projects; it has no numbers of them."""
    listed = metric_alert.get("projects") or child(metric_alert, "alert_rule").get("projects")
    return [
        entry
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, str) and _SLUG.fullmatch(entry)
    ]


def route(payload: Mapping[str, Any]) -> Route | None:
    """By the project's number, else by its address, else by the installation; the rest are alternatives.

    A slug without an organization never routes, as two organizations may both have a `web`. A comment
    and a run of Seer name only their issue and follow it.
    """
    place = place_of(payload)
    candidates: list[tuple[str, str]] = []
    if place.project_id is not None:
        number = place.project_number
        candidates.append((sentry_keys.project(number), number))
    node = _node(payload)
    organization = place.organization or identity(node, "organization_id")
    if organization is not None:
        project_slugs = slugs(node) or [place.project_slug or ""]
        addresses = [place.at_server(f"{organization}/{slug}") for slug in project_slugs if slug]
        candidates += [(sentry_keys.project(address), address) for address in addresses]
    if place.installation is not None:
        candidates.append((f"sentry:installation:{place.installation}", place.installation))
    if place.organization is not None:
        of_server = place.at_server(place.organization)
        candidates.append((f"sentry:organization:{of_server}", of_server))
    if not candidates:
        return None
    via = None
    if resource_of(payload) in ("comment", "seer"):
        issue = identity(child(payload, "data"), "issue_id", "group_id")
        via = sentry_keys.issue_by_id(issue) if issue else None
    (key, resource), *others = candidates
    is_project = key.startswith("sentry:project:")
    meta = {"slug": place.project_slug, "organization": place.organization}
    return Route(
        key,
        resource,
        (place.project_name or place.project_slug) if is_project else place.organization,
        place.installation,
        {name: value for name, value in meta.items() if value} if is_project else {},
        tuple(others),
        via,
    )


def _node(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that the payload is about."""
    data = child(payload, "data")
    for name in ("metric_alert", "error", "event", "issue"):
        if child(data, name):
            return child(data, name)
    return data


def _addresses(value: Mapping[str, Any]) -> Iterable[str]:
    return [address for name in _ADDRESSES if (address := url(value, name)) is not None]


def _from_addresses(addresses: Iterable[str]) -> tuple[str | None, str | None]:
    """The slugs (organization, project), from the first addresses that contain them."""
    organization: str | None = None
    project: str | None = None
    for address in addresses:
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:  # an unbalanced bracket
            continue
        match = _PROJECT.search(parts.path) or _OLD_PERMALINK.match(parts.path)
        if match is not None and match[1] != "organizations":
            organization, project = organization or match[1], project or match[2]
        if organization is None and (match := _ORGANIZATION.search(parts.path)):
            organization = match[1]
        label, _, rest = host.partition(".")
        if organization is None and rest == "sentry.io" and label not in _NO_ORGANIZATION:
            organization = label
    return organization, project


def _site(address: str) -> str | None:
    try:
        host = urlsplit(address).hostname
    except ValueError:  # an unbalanced bracket
        return None
    return keys.sentry_site(host) if host else None


def _slug(value: Mapping[str, Any], name: str) -> str | None:
    slug = name_of(value, name)
    return slug if slug and _SLUG.fullmatch(slug) else None
