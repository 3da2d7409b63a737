"""The story as deliveries: what arrives when, by which door, and what must become of it.

It always ends today: times count from the day it is told for, and so do the repositories' ids, so
that tomorrow's telling is a story of its own and today's second one repeats the first to the byte.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from lightfast_pipelines.demo.cast import Place

ORG = "demo"
Fate = Literal["delivered", "filtered", "parked", "refused"]
Door = Literal["file", "webhook"]
Trick = Literal["forged", "malformed", "repeated"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One delivery. `status` is what the receiver must answer (webhooks only)."""

    name: str
    event: str
    body: bytes
    delivery_id: str
    received_at: datetime
    fate: Fate
    door: Door = "file"
    trick: Trick | None = None
    status: int = 200


class Stage:
    """Takes down what happens; the chapters call it."""

    def __init__(self, today: date) -> None:
        self.today = today
        number = today.toordinal()
        self.shop = Place("storefront", 9_000_000_000 + number)
        self.payments = Place("payments-api", 9_500_000_000 + number)
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
        status: int = 200,
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
            str(uuid.uuid5(uuid.NAMESPACE_URL, known_as)),
            at + timedelta(seconds=3),
            fate,
            door,
            trick,
            status,
        )
        self.scenes.append(scene)
        return scene

    def repeat(self, scene: Scene) -> None:
        """The sender heard no answer and sends the same delivery again."""
        again = Scene(
            f"{scene.name}, once more",
            scene.event,
            scene.body,
            scene.delivery_id,
            scene.received_at,
            scene.fate,
            scene.door,
            "repeated",
            scene.status,
        )
        self.scenes.append(again)


def tell(today: date) -> Stage:
    """The whole story, in the order in which its deliveries arrive."""
    from lightfast_pipelines.demo import double_charge, guest_checkout

    stage = Stage(today)
    guest_checkout.tell(stage)
    double_charge.tell(stage)
    return stage


def as_lines(scenes: list[Scene]) -> bytes:
    """What came through files, as `lightfast ingest` reads it."""
    return b"".join(
        json.dumps(
            {
                "event": scene.event,
                "delivery_id": scene.delivery_id,
                "received_at": scene.received_at.isoformat(),
                "payload": json.loads(scene.body),
            },
            ensure_ascii=False,
        ).encode()
        + b"\n"
        for scene in scenes
        if scene.door == "file"
    )
