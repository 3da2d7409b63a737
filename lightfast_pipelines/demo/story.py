"""The whole story as deliveries, and the files that hold its older part."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from lightfast_pipelines.demo import (
    double_charge,
    double_refund,
    guest_checkout,
    incident,
    meanwhile,
    today,
)
from lightfast_pipelines.demo.stage import Scene, Stage

ORG = "demo"
PROVIDERS = ("github", "linear", "vercel", "sentry")


def tell(day: date) -> Stage:
    """The story that ends on this day; each provider's deliveries in the order of their arrival."""
    stage = Stage(day)
    double_refund.tell(stage)
    pull, merge, bumped = guest_checkout.tell(stage)
    work = double_charge.tell(stage)
    merge_of_fix = today.merge_fix(stage, work)
    problem, ticket = incident.tell(stage, pull, merge, bumped, work.fix)
    today.end_alarm(stage, problem, ticket, merge_of_fix, work.fix)
    meanwhile.tell(stage)
    return stage


def as_lines(scenes: list[Scene], provider: str) -> bytes:
    """A provider's older deliveries as JSON lines, as `lightfast ingest` reads them."""
    return b"".join(
        json.dumps(_line(scene), ensure_ascii=False).encode() + b"\n"
        for scene in scenes
        if scene.door == "file" and scene.provider == provider
    )


def _line(scene: Scene) -> dict[str, Any]:
    line = {
        "event": scene.event,
        "delivery_id": scene.delivery_id,
        "received_at": scene.received_at.isoformat(),
        "payload": json.loads(scene.body),
    }
    if scene.provider == "sentry":  # most of its bodies do not say when their event happened
        line["headers"] = {"sentry-hook-timestamp": f"{scene.received_at.timestamp():.0f}"}
    return line
