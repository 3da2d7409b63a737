"""The story as deliveries: what arrives when, by which door, and what must become of it.

It always ends today: times count from the day it is told for, and so do the ids of repositories,
projects and teams, so that tomorrow's telling is a story of its own and today's second one repeats
the first.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from lightfast_pipelines.demo.cast import Board, Site, StoryRepository, Watch

ORG = "demo"
Fate = Literal["delivered", "filtered", "parked", "refused"]
Door = Literal["file", "webhook"]
Trick = Literal["forged", "malformed", "repeated", "stale"]
_REFUSED = {"forged": 401, "malformed": 400, "stale": 401}
PROVIDERS = ("github", "linear", "vercel", "sentry")


@dataclass(frozen=True, slots=True)
class Scene:
    """One delivery, by which door it comes and what must become of it."""

    name: str
    event: str
    body: bytes
    delivery_id: str
    received_at: datetime
    fate: Fate
    door: Door = "file"
    trick: Trick | None = None
    provider: str = "github"

    @property
    def status(self) -> int:
        """What the receiver must answer (webhooks only)."""
        return _REFUSED.get(self.trick or "", 200)


class Stage:
    """Takes down what happens; the chapters call it."""

    def __init__(self, today: date) -> None:
        self.today = today
        number = today.toordinal()
        self.shop = StoryRepository("storefront", 9_000_000_000 + number)
        self.payments = StoryRepository("payments-api", 9_500_000_000 + number)
        self.board = Board(str(number))
        self.site = Site(str(number))
        self.watch = Watch(str(number), 4_500_000_000_000_000 + number)
        self.scenes: list[Scene] = []

    @property
    def workspace(self) -> str:
        return f"demo-{self.today.isoformat()}"

    def at(self, days_ago: int, clock: str) -> datetime:
        hour, minute = clock.split(":")
        midnight = datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC)
        return midnight + timedelta(days=-days_ago, hours=int(hour), minutes=int(minute))

    def tell(
        self,
        name: str,
        event: str,
        payload: dict[str, Any],
        at: datetime,
        fate: Fate = "delivered",
        *,
        door: Door = "file",
        trick: Trick | None = None,
        provider: str = "github",
    ) -> Scene:
        """Received three seconds after it happened, as webhooks are."""
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        if trick == "malformed":
            body = body[: len(body) // 2]
        known_as = f"lightfast demo {self.today.isoformat()} {name}"
        scene = Scene(
            name,
            event,
            body,
            # Vercel's deliveries carry their id in the body, the others in a header.
            payload["id"]
            if provider == "vercel"
            else str(uuid.uuid5(uuid.NAMESPACE_URL, known_as)),
            at + timedelta(seconds=3),
            fate,
            door,
            trick,
            provider,
        )
        self.scenes.append(scene)
        return scene

    def repeat(self, scene: Scene) -> None:
        """The sender heard no answer and sends the same delivery again."""
        self.scenes.append(replace(scene, name=f"{scene.name}, once more", trick="repeated"))


def tell(today: date) -> Stage:
    """The whole story; of each provider in the order in which its deliveries arrive."""
    from lightfast_pipelines.demo import aftermath, double_charge, guest_checkout, incident

    stage = Stage(today)
    shipped = guest_checkout.tell(stage)
    told = double_charge.tell(stage)
    alarm = incident.tell(stage, shipped, told.fix)
    aftermath.tell(stage, alarm, told)
    return stage


def as_lines(scenes: list[Scene], provider: str) -> bytes:
    """What came of a provider through a file, as `lightfast ingest` reads it."""
    return b"".join(
        json.dumps(_line(scene), ensure_ascii=False).encode() + b"\n"
        for scene in scenes
        if scene.door == "file" and scene.provider == provider
    )


def _line(scene: Scene) -> dict[str, Any]:
    found = {
        "event": scene.event,
        "delivery_id": scene.delivery_id,
        "received_at": scene.received_at.isoformat(),
        "payload": json.loads(scene.body),
    }
    if scene.provider == "sentry":  # most of its bodies do not say when what they tell happened
        sent = scene.received_at.timestamp()
        found["headers"] = {"sentry-hook-timestamp": f"{sent:.0f}"}
    return found
