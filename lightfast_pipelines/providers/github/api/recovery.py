"""GitHub's delivery logs, those of the App and of repositories' hooks, and the sweeps of a repository.

docs.github.com/en/rest/apps/webhooks and .../rest/repos/webhooks: logs are kept for three days, newest
first, paged by a cursor in the Link header; an attempt can be repeated by its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.api_contract import Answer, AppKeys, Call, Cursor, LinkedResource
from lightfast_pipelines.providers.fields import child, name_of, time, whole
from lightfast_pipelines.providers.github.api.place import address
from lightfast_pipelines.providers.github.api.requests import app_proof
from lightfast_pipelines.providers.github.api.sweeps import SWEEPS
from lightfast_pipelines.providers.recovery_contract import (
    DeliveryLog,
    IdSweep,
    LogEntry,
    LoggedDelivery,
    LogPage,
    Recovery,
)

_PER_PAGE = "100"
_RECEIVER = "/webhooks/github"
_KEPT_HEADERS = frozenset(
    {
        "user-agent",
        "x-github-delivery",
        "x-github-event",
        "x-github-hook-id",
        "x-github-hook-installation-target-id",
        "x-github-hook-installation-target-type",
    }
)


class _Log:
    """A `DeliveryLog` at one address. With `keys` it is read as the App, otherwise as the installation."""

    def __init__(self, name: str, path: str, keys: AppKeys | None = None) -> None:
        self.name, self._path, self._keys = name, path, keys

    def page(self, cursor: Cursor | None, now: datetime) -> Call:
        params = {"per_page": _PER_PAGE, **({"cursor": str(cursor["cursor"])} if cursor else {})}
        return Call(self._path, params=params, headers=self._signed(now), pool=self._pool)

    def read(self, answer: Answer) -> LogPage:
        if not isinstance(answer.data, list):
            raise ValueError("GitHub's log of deliveries is not a list")
        entries = [entry for item in answer.data if (entry := _entry(item)) is not None]
        return LogPage(entries, _next(answer))

    def redelivery(self, entry: LogEntry, now: datetime) -> Call:
        path = f"{self._path}/{entry.id}/attempts"
        return Call(path, "POST", headers=self._signed(now), pool=self._pool)

    def detail(self, entry: LogEntry, now: datetime) -> Call:
        return Call(f"{self._path}/{entry.id}", headers=self._signed(now), pool=self._pool)

    def logged_delivery(self, answer: Answer) -> LoggedDelivery:
        request = child(answer.data, "request")
        payload, event = request.get("payload"), name_of(answer.data, "event")
        if not isinstance(payload, dict) or not payload or event is None:
            raise ValueError("GitHub's log has no body of it any more")
        headers = {
            name.lower(): value
            for name, value in child(request, "headers").items()
            if name.lower() in _KEPT_HEADERS and isinstance(value, str)
        }
        # The log returns parsed payloads, so the content type is JSON.
        return LoggedDelivery(event, payload, {**headers, "content-type": "application/json"})

    @property
    def _pool(self) -> str:
        """An App has a rate limit of its own, apart from its installations."""
        return "core" if self._keys is None else "app"

    def _signed(self, now: datetime) -> Mapping[str, str]:
        if self._keys is None:
            return {}
        return {"Authorization": f"Bearer {app_proof(self._keys, now)}"}


class GitHubRecovery(Recovery):
    """GitHub's `Recovery`."""

    provider = "github"
    sweeps: Sequence[IdSweep] = SWEEPS

    def app_log(self, kind: str, keys: AppKeys) -> DeliveryLog | None:
        if kind != "github_app":
            return None
        if not keys.client_id or not keys.private_key:
            raise ValueError(
                "the App's log of deliveries needs GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY"
            )
        return _Log("app", "app/hook/deliveries", keys)

    def hooks(self, kind: str, place: LinkedResource) -> Call | None:
        """The hooks whose logs to read: the App's own, or those of the repository that send to us."""
        if kind == "github_app":
            return None
        return Call(f"{address(place)}/hooks", params={"per_page": _PER_PAGE})

    def hook_logs(self, place: LinkedResource, answer: Answer) -> Sequence[DeliveryLog]:
        logs = []
        for hook in answer.data if isinstance(answer.data, list) else []:
            number, target = whole(hook, "id"), name_of(child(hook, "config"), "url")
            if number is not None and target and _is_ours(target):
                path = f"{address(place)}/hooks/{number}/deliveries"
                logs.append(_Log(f"hook {place.resource_name} {number}", path))
        return logs


def _is_ours(target: str) -> bool:
    """Whether a hook sends to a receiver's path; we do not know the receiver's public host here."""
    return urlsplit(target).path.rstrip("/").startswith(_RECEIVER)


def _entry(item: Any) -> LogEntry | None:
    """None for an entry without an id, a delivery or a time, which cannot be looked up."""
    identity, delivery = whole(item, "id"), name_of(item, "guid")
    at, event = time(item, "delivered_at"), name_of(item, "event")
    if identity is None or delivery is None or at is None or event is None:
        return None
    installation = whole(item, "installation_id")
    return LogEntry(
        delivery_id=delivery,
        id=str(identity),
        delivered_at=at,
        event=event,
        status=whole(item, "status_code") or 0,
        is_again=item.get("redelivery") is True,
        installation=None if installation is None else str(installation),
    )


def _next(answer: Answer) -> Cursor | None:
    cursors = parse_qs(urlsplit(paging.links(answer.headers).get("next", "")).query).get("cursor")
    return {"cursor": cursors[0]} if cursors else None


RECOVERY = GitHubRecovery()
