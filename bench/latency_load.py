"""Signed deliveries of recorded histories, as many as wanted, sent at a constant rate.

After the end of a history comes a copy of it as another repository, with other commits: a body that was
sent before would only be filtered.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.corpus import deliveries
from bench.receiver_load import signature

_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
_SENDERS = 16


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that the deliveries are about: a history, or a copy of one."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Signed:
    number: int
    event: str
    body: bytes


class Histories:
    """The deliveries of some histories, each followed by copies of it."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._repositories = {
            file: Repository(told["id"], told["full_name"])
            for file in files
            for told in [next(deliveries(file))["payload"]["repository"]]
        }
        self._lengths = {file: sum(1 for _ in deliveries(file)) for file in files}

    def repositories(self, count: int) -> list[Repository]:
        """Every repository that the first `count` deliveries are about."""
        copies = 1 + count // sum(self._lengths.values())
        return [
            _copy(repository, copy)
            for copy in range(copies)
            for repository in self._repositories.values()
        ]

    def deliveries(self) -> Iterator[Signed]:
        """Endless."""
        numbers = itertools.count()
        for copy in itertools.count():
            for file, repository in self._repositories.items():
                copied = _copy(repository, copy)
                for delivery in deliveries(file):
                    text = json.dumps(delivery["payload"])
                    if copy:
                        text = _renamed(text, repository, copied, copy)
                    yield Signed(next(numbers), delivery["event"], text.encode())


def _copy(repository: Repository, copy: int) -> Repository:
    owner, _, name = repository.name.partition("/")
    return Repository(repository.id + copy, f"{owner}{copy}/{name}" if copy else repository.name)


def _renamed(text: str, repository: Repository, copied: Repository, copy: int) -> str:
    text = text.replace(repository.name, copied.name)
    text = text.replace(str(repository.id), str(copied.id))
    return _COMMIT.sub(lambda found: _other_commit(found[0], copy), text)


def _other_commit(commit: str, copy: int) -> str:
    if not commit.strip("0"):  # no commit
        return commit
    return hashlib.sha1(f"{copy}{commit}".encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Sent:
    """What was sent: when each was meant to be (by the monotonic clock), and what the receiver answered."""

    meant: dict[int, float] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    latest_start: float = 0.0
    """By how much the sender itself was late, at most."""


def send(load: Iterator[Signed], url: str, secret: bytes, rate: float, count: int) -> Sent:
    """Sends `count` deliveries, each at its moment, whether or not the receiver is late."""
    sent = Sent()
    lock = threading.Lock()
    with (
        httpx.Client(timeout=30.0, trust_env=False) as client,
        ThreadPoolExecutor(_SENDERS) as senders,
    ):

        def post(signed: Signed, meant: float) -> None:
            late = time.monotonic() - meant
            answer = client.post(
                url,
                content=signed.body,
                headers={
                    "content-type": "application/json",
                    "x-github-event": signed.event,
                    "x-github-delivery": delivery_id(signed.number),
                    "x-hub-signature-256": signature(signed.body, secret),
                },
            )
            with lock:
                sent.statuses[answer.status_code] += 1
                sent.latest_start = max(sent.latest_start, late)

        began = time.monotonic()
        posted = []
        for signed in itertools.islice(load, count):
            meant = began + signed.number / rate
            sent.meant[signed.number] = meant
            time.sleep(max(0.0, meant - time.monotonic()))
            posted.append(senders.submit(post, signed, meant))
        for one in posted:
            one.result()
    return sent


def delivery_id(number: int) -> str:
    return f"latency-{number}"
