"""The stage on which the chapters tell their events: what arrives when and how, and its expected outcome.

Times are relative to the day of the demo, and the ids of repositories, projects and teams contain that
day. So a demo on another day is a new story, and a second one on the same day repeats the first.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from lightfast_pipelines.demo.cast import Board, Site, StoryRepository, Watch

Fate = Literal["delivered", "filtered", "parked", "refused"]
Door = Literal["file", "webhook"]
Trick = Literal["forged", "malformed", "repeated", "stale"]
_REFUSED = {"forged": 401, "malformed": 400, "stale": 401}
# Webhooks arrive a little after what they report.
_TRANSIT = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """Something that happened at a provider, as its webhook reports it."""

    provider: str
    name: str
    """The provider's name for this kind of event, as a header of the webhook states it."""
    at: datetime
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """One delivery: the door through which it comes, and its expected outcome."""

    name: str
    event: str
    body: bytes
    delivery_id: str
    received_at: datetime
    fate: Fate
    door: Door
    trick: Trick | None
    provider: str

    @property
    def status(self) -> int:
        """What the receiver must answer, if this is posted."""
        return _REFUSED.get(self.trick or "", 200)


class Stage:
    """Collects the scenes that the chapters tell."""

    def __init__(self, today: date) -> None:
        self.today = today
        number = today.toordinal()
        self.shop = StoryRepository("storefront", 9_000_000_000 + number)
        self.payments = StoryRepository("payments-api", 9_500_000_000 + number)
        self.app = StoryRepository("mobile-app", 9_600_000_000 + number)
        self.board = Board(str(number))
        self.site = Site(str(number))
        self.watch = Watch(str(number), 4_500_000_000_000_000 + number)
        self.scenes: list[Scene] = []
        self._main: dict[int, str] = {}
        """The commit on which the main branch of a repository is, by the repository's id."""

    @property
    def workspace(self) -> str:
        return f"demo-{self.today.isoformat()}"

    def at(self, days_ago: int, clock: str) -> datetime:
        hour, minute = clock.split(":")
        midnight = datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC)
        return midnight + timedelta(days=-days_ago, hours=int(hour), minutes=int(minute))

    def advance_main(self, place: StoryRepository, sha: str) -> str:
        """Moves a repository's main branch to a commit, and returns the one on which it was.

        Without that, the commits of a release cannot be had from its pushes: each states where the
        branch was and what has come since.
        """
        # The story begins in the middle: main had commits before its first push.
        first = hashlib.sha1(f"main of {place.id}".encode(), usedforsecurity=False).hexdigest()
        before = self._main.get(place.id, first)
        self._main[place.id] = sha
        return before

    def tell(
        self,
        name: str,
        event: StoryEvent,
        fate: Fate = "delivered",
        *,
        posted: str | None = None,
        trick: Trick | None = None,
    ) -> Scene:
        """Adds a delivery. It is posted to the receiver as if sent last night at the time `posted` (after
        midnight, as 24:01); without that time it comes from a file, soon after its event."""
        body = json.dumps(event.payload, separators=(",", ":"), ensure_ascii=False).encode()
        seed = f"lightfast demo {self.today.isoformat()} {name}"
        # A delivery of Vercel's carries its id in the body, others in a header.
        is_vercel = event.provider == "vercel"
        scene = Scene(
            name,
            event.name,
            body[: len(body) // 2] if trick == "malformed" else body,
            event.payload["id"] if is_vercel else str(uuid.uuid5(uuid.NAMESPACE_URL, seed)),
            (self.at(1, posted) if posted else event.at) + _TRANSIT,
            "refused" if trick else fate,
            "webhook" if posted else "file",
            trick,
            event.provider,
        )
        self.scenes.append(scene)
        return scene

    def repeat(self, scene: Scene) -> None:
        """The sender got no answer and sends the same delivery again."""
        self.scenes.append(replace(scene, name=f"{scene.name}, once more", trick="repeated"))
