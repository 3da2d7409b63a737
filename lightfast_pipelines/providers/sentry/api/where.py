"""Which organisation and project of Sentry's a linked resource is, and how the API is asked for it.

The API is asked by the organisation's slug, which webhooks seldom tell: where nothing names it, the
walk begins by asking which organisations the token sees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from lightfast_pipelines.domain.keys import bare_number, sentry_site
from lightfast_pipelines.providers.api_contract import Answer, Call, Json, LinkedResource
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.sentry.webhooks.values import identity

ORGANIZATIONS = "/api/0/organizations/"
SENTRY: Json = {"type": "application", "id": "sentry", "name": "Sentry"}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.I)
_ADDRESS = re.compile(r"([a-z0-9][a-z0-9_-]{0,99})/([a-z0-9][a-z0-9_-]{0,99})", re.I)
_OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})


def organization_of(place: LinkedResource) -> str | None:
    """Its slug, from whatever names it; None: the API must be asked."""
    for name in (_linked_as(place), place.resource_name or ""):
        if match := _ADDRESS.fullmatch(name):
            return match[1]
    for source in (place.meta, place.account, child(place.account, "raw")):
        named = name_of(source, "organization") or name_of(source, "organization_slug")
        found = named or name_of(child(source, "organization"), "slug")
        if found and _SLUG.fullmatch(found):
            return found
    if place.account_login and _SLUG.fullmatch(place.account_login):
        return place.account_login
    return _linked_as(place) if _is_organization(_linked_as(place)) else None


def project_number(place: LinkedResource) -> str | None:
    """The number of the linked project, where it is linked by that or its number is kept beside it."""
    if _linked_as(place).isdigit():
        return _linked_as(place)
    number = identity(place.meta, "id")
    return number if number is not None and number.isdigit() else None


def project_params(place: LinkedResource) -> dict[str, str]:
    """The project by its number or its slug; all of them where an organisation is linked.

    Raises ValueError where it is none of these."""
    number = project_number(place)
    if number is not None:
        return {"project": number}
    if match := _ADDRESS.fullmatch(_linked_as(place)):
        return {"projectSlug": match[2]}
    if UUID.fullmatch(place.resource_id) or _is_organization(_linked_as(place)):
        return {"project": "-1"}
    raise ValueError(
        f"Sentry: {place.resource_id[:100]!r} is neither a project's number, nor `organization/project`, "
        "nor an organization's slug: link the resource by one of them"
    )


def only_organization(place: LinkedResource, answer: Answer) -> str:
    """The slug of the one organisation that the token sees.

    Raises ValueError, with what to do, where that is none or several.
    """
    listed = answer.data if isinstance(answer.data, list) else []
    slugs = [slug for one in listed if isinstance(one, dict) and (slug := name_of(one, "slug"))]
    if len(slugs) == 1:
        return slugs[0]
    what = "no organization" if not slugs else f"several organizations ({', '.join(slugs[:5])})"
    raise ValueError(
        f"the token sees {what}: name the resource {place.resource_id[:100]} `organization/project`, "
        "or use a token with the scope org:read of one organization"
    )


def organizations_call() -> Call:
    return Call(ORGANIZATIONS, pool="organizations")


def asking(path: str, pool: str, *pairs: tuple[str, str], of_one: bool = False) -> Call:
    """A GET whose query may name a thing twice (`expand`)."""
    return Call(f"{path}?{urlencode(pairs)}" if pairs else path, pool=pool, of_one=of_one)


def moment(at: datetime, *, up: bool = False) -> str:
    """As Sentry's `start` and `end` want it: UTC, whole seconds, rounded down or up."""
    whole = at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    if up and at.microsecond:
        whole += timedelta(seconds=1)
    return whole.isoformat()


def installation(place: LinkedResource) -> Json:
    """The envelope's installation, where it is one of Sentry's and not one made by hand."""
    if UUID.fullmatch(place.installation_id):
        return {"installation": {"uuid": place.installation_id}}
    return {}


def site(place: LinkedResource, answer: Answer) -> str:
    """The site whose API answered: a link that a person can open.

    A server of one's own may be asked by another name than the one that its webhooks and people use,
    which the resource is linked with.
    """
    parts = urlsplit(answer.url)
    host = parts.hostname or ""
    server = place.resource_id.partition("@")[2]
    if server and server != sentry_site(host):
        return f"https://{server}"
    if not host or host in _OWN_MACHINE or host == "sentry.io" or host.endswith(".sentry.io"):
        return "https://sentry.io"
    return f"{parts.scheme}://{parts.netloc}"


def doer(user: Mapping[str, Any], application: Mapping[str, Any]) -> Json:
    """The webhook's actor for an activity's user: a person, an integration, else Sentry itself."""
    if application:
        number = name_of(application, "uuid") or name_of(application, "slug")
        if number is not None:
            return {"type": "application", "id": number, "name": name_of(application, "name")}
    number = identity(user, "id")
    if number is None:
        return SENTRY
    told = {name: name_of(user, name) for name in ("name", "email")}
    known = {name: value for name, value in told.items() if value is not None}
    return {"type": "user", "id": int(number) if number.isdigit() else number, **known}


def _linked_as(place: LinkedResource) -> str:
    """The resource without its server: the API that is asked is that server's."""
    return bare_number(place.resource_id)


def _is_organization(resource_id: str) -> bool:
    return (
        _SLUG.fullmatch(resource_id) is not None
        and not resource_id.isdigit()
        and UUID.fullmatch(resource_id) is None
    )
