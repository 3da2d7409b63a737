"""Open loop: deliveries at a constant rate, whether or not the receiver keeps up.

A process of its own, `python -m bench.receiver_open`; prints one JSON object. Every delivery has an
intended moment of sending, and its latency counts from there. So a stall counts for each delivery that
should have been sent meanwhile, also where no connection was free for it. `--rate 0` sends as fast as
it is answered, which shows what this generator can do.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import cast

from bench.receiver_deliveries import Deliveries, Sent
from bench.receiver_event_loop import run_fast

TICK_SECONDS = 0.001
PATIENCE_SECONDS = 30.0


class Load:
    """What is due, which connections are free, and what came of it."""

    def __init__(self, deliveries: Deliveries, rate: float, seconds: float) -> None:
        self.deliveries = deliveries
        self.rate = rate
        self.seconds = seconds
        self.due: deque[int] = deque()
        self.free: deque[Connection] = deque()
        self.made = 0
        self.open = 0
        self.outcomes: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.lateness: list[float] = []
        """How late this process itself was."""
        self.answered: list[str] = []
        self.began = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def planned(self) -> int:
        return int(self.rate * self.seconds)

    def intended(self, number: int) -> float:
        return self.began + number / self.rate

    def tick(self, expected: float) -> None:
        now = time.perf_counter()
        self.lateness.append(max(now - expected, 0.0))
        while self.made < self.planned and self.intended(self.made) <= now:
            self.due.append(self.made)
            self.made += 1
        self.send()
        if self.made == self.planned and not self.due and not self.open:
            self.finish()
            return
        loop = asyncio.get_running_loop()
        loop.call_later(TICK_SECONDS, self.tick, now + TICK_SECONDS)

    def send(self) -> None:
        while self.due and self.free:
            number = self.due.popleft()
            self.free.popleft().deliver(self.deliveries.number(number), self.intended(number))

    def came(self, connection: Connection, outcome: str) -> None:
        """The request on this connection ended."""
        now = time.perf_counter()
        self.latencies.append(now - connection.intended)
        self.outcomes[outcome] += 1
        if outcome == "200":
            sent = connection.sent
            assert sent is not None
            self.answered.append(f"{sent.provider} {sent.delivery_id}")
        if outcome == "lost":
            return
        if self.rate:
            self.free.append(connection)
            self.send()
        elif now - self.began < self.seconds:
            connection.deliver(self.deliveries.number(self.made), now)
            self.made += 1
        elif not self.open:
            self.finish()

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """Sends one delivery at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.sent: Sent | None = None
        self.intended = 0.0
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def deliver(self, sent: Sent, intended: float) -> None:
        self.sent, self.intended = sent, intended
        self.load.open += 1
        self.transport.write(sent.request)

    def data_received(self, data: bytes) -> None:
        self.got += data
        if not self.got.endswith(b"}"):
            return
        status, self.got = self.got[9:12].decode(), b""
        self.load.open -= 1
        self.load.came(self, status)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.load.done.done():
            return
        if self in self.load.free:
            self.load.free.remove(self)
        else:
            self.load.open -= 1
            self.load.came(self, "lost")
        self.load.outcomes["connections lost"] += 1


async def run(options: argparse.Namespace) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    load = Load(Deliveries(options.body_bytes, options.secret), options.rate, options.seconds)
    for _ in range(options.connections):
        _, connection = await loop.create_connection(
            lambda: Connection(load), "127.0.0.1", options.port
        )
        load.free.append(connection)
    # Its own pauses would look like the receiver's.
    gc.collect()
    gc.freeze()
    gc.disable()
    load.began = time.perf_counter()
    if load.rate:
        load.tick(load.began)
    else:
        for connection in list(load.free):
            connection.deliver(load.deliveries.number(load.made), load.began)
            load.made += 1
        load.free.clear()
    await asyncio.wait([load.done], timeout=options.seconds + PATIENCE_SECONDS)
    took = time.perf_counter() - load.began
    load.finish()
    if options.answered:
        options.answered.write_text("".join(f"{line}\n" for line in load.answered))
    unanswered = load.open + len(load.due)
    return {
        "per_second": load.outcomes["200"] / took,
        **{
            f"{name}_ms": _quantile(load.latencies, share) * 1000 for name, share in _SHARES.items()
        },
        "own_lateness_p999_ms": _quantile(load.lateness, 0.999) * 1000,
        "accepted": load.outcomes["200"],
        "failed": sum(n for name, n in load.outcomes.items() if name != "200") + unanswered,
        "outcomes": dict(load.outcomes) | {"unanswered": unanswered},
        "run": load.deliveries.run,
    }


_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="deliveries a second")
    parser.add_argument("--body-bytes", type=int, default=10_240)
    parser.add_argument("--answered", type=Path, help="write the ids of answered deliveries here")
    json.dump(run_fast(run(parser.parse_args())), sys.stdout)


if __name__ == "__main__":
    main()
