"""Which organization and project of Sentry a linked resource is, and requests about them.

The API is addressed by the organization's slug, which webhooks seldom carry: if nothing names it, a
walk first asks which organizations the token can see.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from lightfast_pipelines.domain.keys import bare_number
from lightfast_pipelines.providers.api_contract import Answer, Call, LinkedResource
from lightfast_pipelines.providers.fields import child, children, name_of
from lightfast_pipelines.providers.sentry.webhooks.values import identity

ORGANIZATIONS = "/api/0/organizations/"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.I)
_ADDRESS = re.compile(rf"({_SLUG.pattern})/({_SLUG.pattern})", re.I)


def organization_of(place: LinkedResource) -> str | None:
    """The organization's slug, from whatever names it; None: the API must be asked."""
    for name in (_without_server(place), place.resource_name or ""):
        if match := _ADDRESS.fullmatch(name):
            return match[1]
    for source in (place.meta, place.account, child(place.account, "raw")):
        stated_slug = name_of(source, "organization") or name_of(source, "organization_slug")
        slug = stated_slug or name_of(child(source, "organization"), "slug")
        if slug and _SLUG.fullmatch(slug):
            return slug
    if place.account_login and _SLUG.fullmatch(place.account_login):
        return place.account_login
    return _without_server(place) if _is_organization(_without_server(place)) else None


def project_number(place: LinkedResource) -> str | None:
    """The linked project's number: the resource's id, or kept in its metadata."""
    if _without_server(place).isdigit():
        return _without_server(place)
    number = identity(place.meta, "id")
    return number if number is not None and number.isdigit() else None


def project_params(place: LinkedResource) -> dict[str, str]:
    """The project by its number or its slug; all projects if an organization is linked.

    Raises ValueError if the resource is none of these."""
    number = project_number(place)
    if number is not None:
        return {"project": number}
    if match := _ADDRESS.fullmatch(_without_server(place)):
        return {"projectSlug": match[2]}
    if UUID.fullmatch(place.resource_id) or _is_organization(_without_server(place)):
        return {"project": "-1"}
    raise ValueError(
        f"Sentry: {place.resource_id[:100]!r} is neither a project's number, nor `organization/project`, "
        "nor an organization's slug: link the resource by one of them"
    )


def only_organization(place: LinkedResource, answer: Answer) -> str:
    """The slug of the one organization that the token can see.

    Raises a ValueError that says what to do if it sees none or several.
    """
    listed = children({"organizations": answer.data}, "organizations")
    slugs = [slug for organization in listed if (slug := name_of(organization, "slug"))]
    if len(slugs) == 1:
        return slugs[0]
    what = "no organization" if not slugs else f"several organizations ({', '.join(slugs[:5])})"
    raise ValueError(
        f"the token sees {what}: name the resource {place.resource_id[:100]} `organization/project`, "
        "or use a token with the scope org:read of one organization"
    )


def organizations_call() -> Call:
    return Call(ORGANIZATIONS, pool="organizations")


def issues_call(
    place: LinkedResource, organization: str, *pairs: tuple[str, str], collapse: bool = True
) -> Call:
    """Issues of the linked project. `collapse` leaves out how often each was seen."""
    params = (*project_params(place).items(), *pairs)
    collapsed = (("collapse", "stats"),) if collapse else ()
    return get(f"{ORGANIZATIONS}{organization}/issues/", "issues", *params, *collapsed)


def get(path: str, pool: str, *pairs: tuple[str, str], of_one: bool = False) -> Call:
    """A GET whose query may repeat a name (`expand`)."""
    return Call(f"{path}?{urlencode(pairs)}" if pairs else path, pool=pool, of_one=of_one)


def api_time(at: datetime, *, up: bool = False) -> str:
    """A time as Sentry's `start` and `end` want it: UTC, whole seconds, rounded down or up."""
    whole = at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    if up and at.microsecond:
        whole += timedelta(seconds=1)
    return whole.isoformat()


def _without_server(place: LinkedResource) -> str:
    """The resource without its server: the API in use is that server's."""
    return bare_number(place.resource_id)


def _is_organization(resource_id: str) -> bool:
    is_slug = _SLUG.fullmatch(resource_id) is not None
    return is_slug and not resource_id.isdigit() and UUID.fullmatch(resource_id) is None
