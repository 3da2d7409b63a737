"""The headers and body with which a provider would send a delivery of the story now.

A forged delivery is signed with the wrong secret; a stale one was signed a day ago.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightfast_pipelines.demo.stage import Scene

_STALE = timedelta(days=1)


def request_of(
    scene: Scene, secrets: Mapping[str, bytes], now: datetime
) -> tuple[bytes, dict[str, str]]:
    """(body, headers). `secrets` are by provider; Linear and Sentry state the time of sending."""
    from lightfast_pipelines.providers.github.webhooks import signature as github
    from lightfast_pipelines.providers.linear.webhooks import signature as linear
    from lightfast_pipelines.providers.sentry.webhooks import signature as sentry
    from lightfast_pipelines.providers.vercel.webhooks import signature as vercel

    secret = b"not the secret" if scene.trick == "forged" else secrets[scene.provider]
    sent = now - _STALE if scene.trick == "stale" else now
    headers = {"content-type": "application/json"}
    body = scene.body
    if scene.provider == "github":
        headers["user-agent"] = "GitHub-Hookshot/demo"
        headers["x-github-event"] = scene.event
        headers["x-github-delivery"] = scene.delivery_id
        headers[github.HEADER] = github.sign(body, secret)
    elif scene.provider == "vercel":
        headers[vercel.HEADER] = vercel.sign(body, secret)
    elif scene.provider == "linear":
        payload = {**json.loads(body), "webhookTimestamp": int(sent.timestamp() * 1000)}
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        headers["linear-event"] = scene.event
        headers["linear-delivery"] = scene.delivery_id
        headers[linear.HEADER] = linear.sign(body, secret)
    else:
        headers["request-id"] = scene.delivery_id
        headers["sentry-hook-resource"] = scene.event
        headers[sentry.TIMESTAMP] = str(int(sent.timestamp()))
        headers[sentry.HEADER] = sentry.sign(body, secret)
    return body, headers
