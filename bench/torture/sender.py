"""Sends the planned deliveries as providers do: each again and again until it is answered 2xx."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from bench.torture.deliveries import Planned
from bench.torture.schedule import Pace
from lightfast_pipelines.demo.sending import request_of

# As GitHub; the pauses are much shorter than any provider's, so that a minute holds many attempts.
_ANSWER_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_AT_A_TIME = 64
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(slots=True)
class Answered:
    """When a delivery was first sent and when it was answered, by this machine's clock."""

    planned: Planned
    body: bytes
    sent_at: float
    answered_at: float
    attempts: int
    status: int


@dataclass(slots=True)
class SendingReport:
    answered: list[Answered] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Every answer and every broken connection, by status or by type of the error."""
    unexpected: list[str] = field(default_factory=list)
    """Answers that no fault explains."""
    unanswered: list[Planned] = field(default_factory=list)


class Sender:
    """`clock_is_moved` says whether the receiver may refuse signed times for now."""

    def __init__(
        self,
        url: str,
        secrets: Mapping[str, bytes],
        *,
        clock_is_moved: Callable[[], bool],
        chance: random.Random,
    ) -> None:
        self._url = url
        self._secrets = secrets
        self._clock_is_moved = clock_is_moved
        self._chance = chance
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._first_bodies: dict[str, bytes] = {}
        self._gives_up_at = float("inf")
        self.report = SendingReport()

    def give_up_in(self, seconds: float) -> None:
        """From then on nothing is sent again."""
        self._gives_up_at = time.monotonic() + seconds

    async def send_all(self, planned: Sequence[Planned], pace: Pace) -> None:
        limits = httpx.Limits(max_connections=_AT_A_TIME, max_keepalive_connections=_AT_A_TIME // 2)
        async with (
            httpx.AsyncClient(timeout=_ANSWER_SECONDS, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            for each in planned:
                await pace.until(each.at)
                group.create_task(self._deliver(client, each))

    async def _deliver(self, client: httpx.AsyncClient, planned: Planned) -> None:
        sent_at, pause, attempts = time.time(), _FIRST_PAUSE, 0
        while True:
            attempts += 1
            body, headers = self._request(planned)
            status = await self._post(client, planned.scene.provider, body, headers)
            self.report.outcomes[str(status)] += 1
            if isinstance(status, int) and self._is_final(status, planned):
                self.report.answered.append(
                    Answered(planned, body, sent_at, time.time(), attempts, status)
                )
                return
            if time.monotonic() > self._gives_up_at:
                self.report.unanswered.append(planned)
                return
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _post(
        self, client: httpx.AsyncClient, provider: str, body: bytes, headers: Mapping[str, str]
    ) -> int | str:
        async with self._slots:
            try:
                answer = await client.post(
                    f"{self._url}/webhooks/{provider}", content=body, headers=headers
                )
            except httpx.TransportError as error:
                return type(error).__name__
        return answer.status_code

    def _request(self, planned: Planned) -> tuple[bytes, dict[str, str]]:
        """Linear's retries keep the time of the first attempt, which is in the body."""
        scene = planned.scene
        body, headers = request_of(scene, self._secrets, datetime.now(UTC))
        if scene.provider == "linear" and scene.trick is None:
            kept = self._first_bodies.setdefault(scene.delivery_id, body)
            if kept != body:
                from lightfast_pipelines.providers.linear.webhooks import signature

                body = kept
                headers[signature.HEADER] = signature.sign(body, self._secrets["linear"])
        return body, headers

    def _is_final(self, status: int, planned: Planned) -> bool:
        """Whether the sender needs no other answer. Notes an answer that no fault explains."""
        if 200 <= status < 300:
            # To a clock that is wrong, an old delivery may look new.
            if planned.is_refused and not self._clock_is_moved():
                self._note(planned, status)
            return True
        if status in _TRY_AGAIN:
            return False
        if planned.is_refused:
            return True
        if not self._clock_is_moved():
            self._note(planned, status)
        return False

    def _note(self, planned: Planned, status: int) -> None:
        scene = planned.scene
        self.report.unexpected.append(
            f"{scene.provider} {scene.event} {scene.delivery_id} ({planned.kind}): answered {status}"
        )
