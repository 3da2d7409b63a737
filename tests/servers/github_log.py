"""The endpoints of a GitHub App and of a repository's hooks: installation tokens, logs of deliveries.

docs.github.com: "Generating a JWT for a GitHub App", "REST API endpoints for GitHub App webhooks" and
"... repository webhooks".
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt

from tests.servers.github_parts import Json, iso
from tests.servers.github_wire import Bucket, Reply, Request, fault, page_size

_KEPT = timedelta(days=3)
_PROOF = timedelta(minutes=10)
_SIGNED = {"X-Hub-Signature-256": "sha256=of-another-secret", "User-Agent": "GitHub-Hookshot/1"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt to deliver. `guid` is the delivery's, equal for each attempt. `status` 0: no answer."""

    id: int
    guid: str
    delivered_at: datetime
    event: str
    payload: Mapping[str, Any] = field(repr=False)
    status: int = 200
    redelivery: bool = False
    installation: int | None = None
    repository: int | None = None
    hook: int | None = None
    """The repository's hook that it came by; None: the App's."""


@dataclass(slots=True)
class Hook:
    """A repository's hook and the address that it sends to."""

    id: int
    repository: str
    url: str
    repository_id: int = 1
    active: bool = True


class GitHubLog:
    """A `GitHubServer` takes it as its `app`.

    `tokens` is the server's own table, so tokens made here are valid there. `on_redeliver` is called with
    the attempt to repeat; it returns the status of the new attempt.
    """

    def __init__(
        self,
        tokens: dict[str, datetime | None],
        *,
        app: str = "1234",
        public_key: str | bytes = "",
        installations: Sequence[int] = (7,),
        hooks: Sequence[Hook] = (),
        on_redeliver: Callable[[Delivery], int] | None = None,
    ) -> None:
        self.tokens, self.app, self.public_key = tokens, app, public_key
        self.installations, self.hooks = list(installations), list(hooks)
        self.suspended: set[int] = set()
        self.on_redeliver = on_redeliver
        self.deliveries: list[Delivery] = []
        self.minted: dict[int, int] = {}
        self.lasts = timedelta(hours=1)
        self.bucket = Bucket(5_000)

    def add(
        self,
        event: str,
        payload: Mapping[str, Any],
        at: datetime,
        *,
        guid: str | None = None,
        status: int = 200,
        hook: int | None = None,
    ) -> Delivery:
        """Logs an attempt, as GitHub does for everything that it sends."""
        made = Delivery(
            1_000_001 + len(self.deliveries),
            guid or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{event}{len(self.deliveries)}")),
            at,
            event,
            payload,
            status,
            installation=(payload.get("installation") or {}).get("id") if hook is None else None,
            repository=(payload.get("repository") or {}).get("id"),
            hook=hook,
        )
        self.deliveries.append(made)
        return made

    def __call__(self, request: Request, now: datetime) -> Reply | None:
        """None for other endpoints."""
        match request.path.split("/"):
            case ["app", "installations", number, "access_tokens"] if request.method == "POST":
                return self._refused(request, now) or self._mint(number, now)
            case ["app", "installations", number] if number.isdigit():
                return self._refused(request, now) or self._installation(int(number))
            case ["app", "hook", "deliveries", *rest]:
                return self._refused(request, now) or self._limited(request, now, None, rest)
            case ["app", *_]:
                return self._refused(request, now) or fault(404, "Not Found")
            case ["repos", owner, name, "hooks", *rest]:
                return self._of_hooks(request, now, f"{owner}/{name}".lower(), rest)
            case ["repositories", number, "hooks", *rest]:
                return self._of_hooks(request, now, number, rest)
        return None

    def _refused(self, request: Request, now: datetime) -> Reply | None:
        """Whether the App's JWT is invalid."""
        if request.token is None or request.token.count(".") != 2:
            return fault(401, "A JSON web token could not be decoded")
        try:
            claims = jwt.decode(
                request.token,
                self.public_key,
                algorithms=["RS256"],
                options={
                    "verify_exp": False,
                    "verify_iat": False,
                    "require": ["iat", "exp", "iss"],
                },
            )
        except jwt.PyJWTError:
            return fault(401, "A JSON web token could not be decoded")
        seconds = now.timestamp()
        if str(claims["iss"]) != self.app:
            return fault(404, "Integration not found")
        if claims["iat"] > seconds + 1:
            return fault(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the "
                "assertion was issued",
            )
        if claims["exp"] <= seconds:
            return fault(
                401,
                "'Expiration time' claim ('exp') must be a numeric value representing the future "
                "time at which the assertion expires",
            )
        if claims["exp"] - seconds > _PROOF.total_seconds() + 1:
            return fault(401, "'Expiration time' claim ('exp') is too far in the future")
        return None

    def _mint(self, number: str, now: datetime) -> Reply:
        installation = int(number) if number.isdigit() else 0
        if installation not in self.installations:
            return fault(404, "Not Found")
        if installation in self.suspended:
            return fault(403, "This installation has been suspended")
        self.minted[installation] = self.minted.get(installation, 0) + 1
        seed = f"{installation}-{self.minted[installation]}"
        token = "ghs_" + base64.urlsafe_b64encode(seed.encode()).decode().rstrip("=").ljust(36, "x")
        ends = (now + self.lasts).replace(microsecond=0)
        self.tokens[token] = ends
        permissions = {"contents": "read", "issues": "read", "metadata": "read"}
        data = {
            "token": token,
            "expires_at": iso(ends),
            "permissions": {**permissions, "pull_requests": "read"},
            "repository_selection": "all",
        }
        return Reply(201, data)

    def _installation(self, number: int) -> Reply:
        if number not in self.installations:
            return fault(404, "Not Found")
        account = {"login": "acme", "id": 1, "type": "Organization"}
        return Reply(200, {"id": number, "app_id": self.app, "account": account})

    def _of_hooks(self, request: Request, now: datetime, name: str, rest: list[str]) -> Reply:
        """Hooks are visible to administrators of the repository, not to an installation."""
        token = request.token or ""
        ends = self.tokens.get(token, now)
        if token not in self.tokens or (ends is not None and ends <= now):
            return fault(401, "Bad credentials")
        mine = [
            one for one in self.hooks if name in (one.repository.lower(), str(one.repository_id))
        ]
        if token.startswith("ghs_"):
            return fault(403, "Resource not accessible by integration")
        if not rest:
            return Reply(200, [_hook(one) for one in mine])
        hook = next((one for one in mine if str(one.id) == rest[0]), None)
        if hook is None or rest[1:2] != ["deliveries"]:
            return Reply(200, _hook(hook)) if hook and not rest[1:] else fault(404, "Not Found")
        return self._limited(request, now, hook.id, rest[2:])

    def _limited(self, request: Request, now: datetime, hook: int | None, rest: list[str]) -> Reply:
        bucket = self.bucket.at(now)
        if bucket.left == 0:
            refused = fault(403, "API rate limit exceeded for installation ID 1.")
            refused.headers |= bucket.headers("core")
            return refused
        bucket.used += 1
        reply = self._log(request, now, hook, rest)
        reply.headers |= bucket.headers("core")
        return reply

    def _log(self, request: Request, now: datetime, hook: int | None, rest: list[str]) -> Reply:
        kept = [
            one for one in self.deliveries if one.hook == hook and one.delivered_at > now - _KEPT
        ]
        kept.sort(key=lambda one: (one.delivered_at, one.id), reverse=True)
        if not rest:
            return _page(request, kept)
        one = next((each for each in kept if str(each.id) == rest[0]), None)
        if one is None:
            return fault(404, "Not Found")
        if rest[1:] == ["attempts"] and request.method == "POST":
            status = self.on_redeliver(one) if self.on_redeliver is not None else 200
            number = 1_000_001 + len(self.deliveries)
            self.deliveries.append(
                replace(one, id=number, delivered_at=now, status=status, redelivery=True)
            )
            return Reply(202, {})
        if rest[1:] or request.method != "GET":
            return fault(404, "Not Found")
        return Reply(200, _told(one))


def _page(request: Request, kept: Sequence[Delivery]) -> Reply:
    """Newest first; new entries move nothing, because the cursor names a delivery."""
    size, begin = page_size(request), 0
    cursor = request.params.get("cursor")
    if cursor is not None:
        marked = cursor.removeprefix("v1_")
        if not marked.isdigit():
            return fault(422, "Invalid cursor")
        begin = next((n for n, one in enumerate(kept) if str(one.id) == marked), len(kept))
    chosen = kept[begin : begin + size]
    headers = {}
    if begin + size < len(kept):
        params = {**request.params, "cursor": f"v1_{kept[begin + size].id}"}
        address = f"{request.base}/{request.path}?{urlencode(params)}"
        headers["link"] = f'<{address}>; rel="next"'
    return Reply(200, [_entry(one) for one in chosen], headers)


def _entry(delivery: Delivery) -> Json:
    texts = {0: "failed to connect to host", 200: "OK", 202: "Accepted"}
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": iso(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": 0.27,
        "status": texts.get(delivery.status, "Invalid HTTP Response"),
        "status_code": delivery.status,
        "event": delivery.event,
        "action": delivery.payload.get("action"),
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": None,
    }


def _told(delivery: Delivery) -> Json:
    headers = {
        **_SIGNED,
        "Accept": "*/*",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(delivery.hook or 3),
        "X-GitHub-Hook-Installation-Target-ID": str(delivery.repository if delivery.hook else 1234),
        "X-GitHub-Hook-Installation-Target-Type": "repository" if delivery.hook else "integration",
        "content-type": "application/json",
    }
    return {
        **_entry(delivery),
        "url": "https://receiver.acme.test/webhooks/github",
        "request": {"headers": headers, "payload": dict(delivery.payload)},
        "response": {"headers": {}, "payload": "" if delivery.status == 0 else "ok"},
    }


def _hook(hook: Hook) -> Json:
    url = f"https://api.github.com/repos/{hook.repository}/hooks/{hook.id}"
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": ["*"],
        "config": {"content_type": "json", "insecure_ssl": "0", "url": hook.url},
        "updated_at": "2025-01-01T00:00:00Z",
        "created_at": "2025-01-01T00:00:00Z",
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": 200, "status": "active", "message": "OK"},
    }
