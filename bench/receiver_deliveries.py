"""Signed deliveries of all four providers, built fast enough for a load generator.

Each has an id of its own. Where the signature does not cover the id it is only put into the head; Vercel's
stands in the signed body, at its end, so that the hash of all that comes before is computed only once.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

PROVIDERS = ("github", "vercel", "linear", "sentry")
SECRET_SETTINGS = {
    "github": "GITHUB_WEBHOOK_SECRET",
    "vercel": "VERCEL_CLIENT_INTEGRATION_SECRET",
    "linear": "LINEAR_WEBHOOK_SIGNING_SECRET",
    "sentry": "SENTRY_CLIENT_SECRET",
}
SIGNATURES = {
    "github": ("x-hub-signature-256", "sha256", "x-github-delivery"),
    "vercel": ("x-vercel-signature", "sha1", ""),
    "linear": ("linear-signature", "sha256", "linear-delivery"),
    "sentry": ("sentry-hook-signature", "sha256", "request-id"),
}
"""By provider: the header of the signature, its hash, and the header of the delivery's id, if it has one."""
BODIES = 64
REPEAT_EVERY = 21
"""One delivery in so many is sent a second time, with the same bytes."""
REPEAT_AFTER = 200

Build = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: what identifies the delivery, and its bytes."""

    provider: str
    delivery_id: str
    request: bytes


class Deliveries:
    """The same mixture for every run, with ids that begin with `run`."""

    def __init__(self, size: int, secret: str, *, seed: int = 7) -> None:
        chance = random.Random(seed)
        self.run = secrets.token_hex(8)
        words = [
            "".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(2000)
        ]
        key = secret.encode()
        self._builds: dict[str, list[Build]] = {
            provider: [
                _BUILDERS[provider](" ".join(chance.choices(words, k=size // 4)), size, key)
                for _ in range(BODIES)
            ]
            for provider in PROVIDERS
        }

    def number(self, number: int) -> Sent:
        """The delivery of this number; some are those of an earlier number once more."""
        if number % REPEAT_EVERY == 0 and number > REPEAT_AFTER:
            number -= REPEAT_AFTER
        provider = PROVIDERS[number % len(PROVIDERS)]
        builds = self._builds[provider]
        delivery_id = f"{self.run}-{number:012d}"
        build = builds[number // len(PROVIDERS) % BODIES]
        return Sent(provider, delivery_id, build(delivery_id))


def _head(provider: str, headers: dict[str, str]) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST /webhooks/{provider} HTTP/1.1\r\nHost: receiver\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\n{lines}"
    )


def _filled(template: str, text: str, size: int) -> str:
    """The template with so much of the text that it is of this size."""
    return template.replace("TEXT", text[: max(size - len(template) + 4, 0)])


def _with_id_in_head(head: str, id_header: str, body: bytes) -> Build:
    start = f"{head}Content-Length: {len(body)}\r\n{id_header}: ".encode()
    end = b"\r\n\r\n" + body

    def build(delivery_id: str) -> bytes:
        return b"".join((start, delivery_id.encode(), end))

    return build


def _github(text: str, size: int, secret: bytes) -> Build:
    body = _filled('{"zen":"TEXT","hook_id":7,"repository":{"id":1}}', text, size).encode()
    headers = {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Event": "ping",
        "X-GitHub-Hook-ID": "292430182",
        "X-GitHub-Hook-Installation-Target-ID": "79929171",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature-256": "sha256=" + hmac.digest(secret, body, "sha256").hex(),
    }
    return _with_id_in_head(_head("github", headers), "X-GitHub-Delivery", body)


def _linear(text: str, size: int, secret: bytes) -> Build:
    now = int(time.time() * 1000)
    template = f'{{"type":"Issue","action":"update","webhookTimestamp":{now},"data":{{"id":"1","title":"TEXT"}}}}'
    body = _filled(template, text, size).encode()
    headers = {
        "User-Agent": "Linear-Webhook",
        "Linear-Event": "Issue",
        "Linear-Signature": hmac.digest(secret, body, "sha256").hex(),
    }
    return _with_id_in_head(_head("linear", headers), "Linear-Delivery", body)


def _sentry(text: str, size: int, secret: bytes) -> Build:
    template = (
        '{"action":"created","data":{"issue":{"id":"1","title":"TEXT"}},"actor":{"type":"user"}}'
    )
    body = _filled(template, text, size).encode()
    headers = {
        "User-Agent": "sentry/1.0",
        "Sentry-Hook-Resource": "issue",
        "Sentry-Hook-Timestamp": str(int(time.time())),
        "Sentry-Hook-Signature": hmac.digest(secret, body, "sha256").hex(),
    }
    return _with_id_in_head(_head("sentry", headers), "Request-ID", body)


def _vercel(text: str, size: int, secret: bytes) -> Build:
    template = '{"type":"deployment.created","createdAt":1,"payload":{"name":"TEXT"},"id":"'
    start = _filled(template, text, size - 40).encode()
    signed_start = hmac.new(secret, start, hashlib.sha1)
    head = _head("vercel", {"User-Agent": "Vercel/1.0"}).encode()

    def build(delivery_id: str) -> bytes:
        end = delivery_id.encode() + b'"}'
        signing = signed_start.copy()
        signing.update(end)
        return b"%sContent-Length: %d\r\nx-vercel-signature: %s\r\n\r\n%s%s" % (
            *(head, len(start) + len(end), signing.hexdigest().encode()),
            *(start, end),
        )

    return build


_BUILDERS: dict[str, Callable[[str, int, bytes], Build]] = {
    "github": _github,
    "vercel": _vercel,
    "linear": _linear,
    "sentry": _sentry,
}
