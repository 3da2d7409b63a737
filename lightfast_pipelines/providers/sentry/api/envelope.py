"""The parts of a webhook's envelope that records of the API need: installation, site, actor, headers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from lightfast_pipelines.domain.keys import sentry_site
from lightfast_pipelines.providers.api_contract import Answer, Json, LinkedResource
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.sentry.api.organization import UUID
from lightfast_pipelines.providers.sentry.webhooks.values import identity

SENTRY: Json = {"type": "application", "id": "sentry", "name": "Sentry"}
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})


def installation(place: LinkedResource) -> Json:
    """The installation, if it is Sentry's own and was not made by hand."""
    if UUID.fullmatch(place.installation_id):
        return {"installation": {"uuid": place.installation_id}}
    return {}


def site(place: LinkedResource, answer: Answer) -> str:
    """The address of the site whose API answered, which a person can open.

    A self-hosted server may have one name for its API and another one for webhooks and people; the
    resource is linked with the latter.
    """
    parts = urlsplit(answer.url)
    host = parts.hostname or ""
    server = place.resource_id.partition("@")[2]
    if server and server != sentry_site(host):
        return f"https://{server}"
    if not host or host in _LOCAL_HOSTS or host == "sentry.io" or host.endswith(".sentry.io"):
        return "https://sentry.io"
    return f"{parts.scheme}://{parts.netloc}"


def actor_of(activity: Mapping[str, Any]) -> Json:
    """Who caused an issue's activity: a person, an integration, or otherwise Sentry itself."""
    user, application = child(activity, "user"), child(activity, "sentry_app")
    if application:
        number = name_of(application, "uuid") or name_of(application, "slug")
        if number is not None:
            return {"type": "application", "id": number, "name": name_of(application, "name")}
    number = identity(user, "id")
    if number is None:
        return SENTRY
    names = ((name, name_of(user, name)) for name in ("name", "email"))
    return {
        "type": "user",
        "id": int(number) if number.isdigit() else number,
        **{name: value for name, value in names if value is not None},
    }


def hook_headers(resource: str, sent_at: datetime | None) -> dict[str, str]:
    """The headers of the webhook: what it is about, and when it was sent, if that is known."""
    headers = {"sentry-hook-resource": resource}
    if sent_at is not None:
        headers["sentry-hook-timestamp"] = str(int(sent_at.timestamp()))
    return headers
