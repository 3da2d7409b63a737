"""Runs the receiver for a test, signs deliveries as GitHub does, and reads what was stored."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.github.webhooks.signature import sign
from lightfast_pipelines.providers.webhook_contract import Accepted, Provider, Refused, Secret
from lightfast_pipelines.store.database import Database
from webhook_receiver.app import create_app
from webhook_receiver.limits import Limits
from webhook_receiver.room import Room
from webhook_receiver.server import server_config

SECRET = "s3cret-of-the-test"
PATIENCE = 30.0


def until(what: Callable[[], Any], message: str) -> Any:
    """The first true value of `what`, asked again and again until a deadline."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if value := what():
            return value
        assert time.monotonic() < deadline, message
        threading.Event().wait(0.005)


@dataclass
class Stub:
    """A provider that does what the test says; by default it accepts anything."""

    name: str = "stub"
    rule_version: int = 1
    default_events: frozenset[str] = frozenset()
    events: Sequence[Any] = ()
    kept_headers: frozenset[str] = frozenset({"x-id"})
    secret_settings: Sequence[str] = ("STUB_SECRET",)
    verified_by: str = "env:STUB_SECRET"
    seen: list[int] = field(default_factory=list)

    def accept(
        self, body: bytes, headers: Mapping[str, str], secrets: Any, *, now: datetime
    ) -> Accepted | Refused:
        self.seen.append(len(body))
        if "x-raise" in headers:
            raise RuntimeError(f"the provider fell over {body!r}")
        verified_by = headers.get("x-verified-by", self.verified_by).replace("NUL", "\0")
        return Accepted(headers.get("x-id", "none"), "event", verified_by)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        raise NotImplementedError

    def route(self, event_type: str, payload: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def sync_event(self, event_type: str, payload: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def resource_id(self, given: str) -> str:
        raise NotImplementedError


@contextmanager
def receiver(
    dsn: str | Callable[[], str],
    *,
    secret: str = SECRET,
    limits: Limits | None = None,
    stub: Stub | None = None,
    room: Room | None = None,
    **options: Any,
) -> Iterator[httpx.Client]:
    """The application on a uvicorn of its own thread; a client whose URLs are relative to it."""
    secrets = [Secret(f"env:NAME#{n}", s.encode()) for n, s in enumerate(secret.split(","), 1)]
    providers: dict[str, Provider] = dict(discover())
    known = dict.fromkeys(providers, secrets)
    if stub is not None:
        providers["stub"] = stub
    app = create_app(
        dsn=dsn,
        providers=providers,
        secrets={**known, "stub": [Secret("env:STUB_SECRET", b"x")]},
        **options,
    )
    config = server_config(app, room or Room(limits or Limits()))
    config.timeout_graceful_shutdown = 5
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive(), "the receiver did not start")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def is_ready(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200


@contextmanager
def ready_receiver(dsn: str, **options: Any) -> Iterator[httpx.Client]:
    with receiver(dsn, **options) as client:
        until(lambda: is_ready(client), "the receiver did not reach its database")
        yield client


def signed(body: bytes, delivery_id: str = "one", secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery as GitHub sends them."""
    return {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/044aadd",
        "x-github-event": "ping",
        "x-github-delivery": delivery_id,
        "x-hub-signature-256": sign(body, secret.encode()),
    }


def deliver(
    client: httpx.Client, body: bytes = b'{"zen":"x"}', delivery_id: str = "one"
) -> httpx.Response:
    return client.post("/webhooks/github", content=body, headers=signed(body, delivery_id))


def port_of(client: httpx.Client) -> int:
    port = client.base_url.port
    assert port is not None
    return port


def raw_request(client: httpx.Client, head: str) -> socket.socket:
    """A connection on which only `head` was sent, for requests that no client library would make."""
    connection = socket.create_connection(("127.0.0.1", port_of(client)), timeout=PATIENCE)
    connection.sendall(head.encode())
    return connection


def everything_from(connection: socket.socket) -> bytes:
    """What the server sends until it closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def count(database: Database, table: str = "raw_payloads") -> int:
    with database.connect() as conn:
        row = conn.execute(f"SELECT count(*) FROM lightfast.{table}").fetchone()
    assert row is not None
    return int(row[0])


def stored_ids(database: Database) -> set[str]:
    with database.connect() as conn:
        rows = conn.execute(
            """
            SELECT p.delivery_id FROM lightfast.raw_payloads p
            JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id
            JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
            """
        )
        return {row[0] for row in rows}


@dataclass
class Process:
    """`python -m webhook_receiver` as a process."""

    popen: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)


@contextmanager
def receiver_process(database: Database, folder: Path, **environment: str) -> Iterator[Process]:
    """The receiver as its own process, connected by address; killed at the end if still there."""
    try:
        with started_receiver(database, folder, environment) as process:
            yield process
    finally:
        no_session_left(database)


@contextmanager
def started_receiver(
    database: Database, folder: Path, environment: Mapping[str, str]
) -> Iterator[Process]:
    """The same; its sessions may end a moment later."""
    port_file, log = folder / "port", folder / "log"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LIGHTFAST_")}
    kept |= {
        "LIGHTFAST_DATABASE_URL": database.url("migrator"),
        "LIGHTFAST_RECEIVER_PORT": "0",
        "LIGHTFAST_METRICS_ADDRESS": "off",
        "GITHUB_WEBHOOK_SECRET": SECRET,
    }
    with log.open("wb") as stream:
        popen = subprocess.Popen(
            [sys.executable, "-m", "webhook_receiver", "--port-file", str(port_file)],
            env={**kept, **environment},
            stderr=stream,
        )
    try:
        until(lambda: port_file.exists() or popen.poll() is not None, "no port file")
        assert popen.poll() is None, log.read_text()
        url = f"http://127.0.0.1:{port_file.read_text()}"
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            until(lambda: is_ready(client), log.read_text())
            yield Process(popen, client, log)
    finally:
        popen.kill()
        popen.wait()


def no_session_left(database: Database) -> None:
    """Waits for the sessions of a killed receiver to end: a database in use cannot be dropped."""
    with database.connect("migrator", autocommit=True) as conn:
        until(
            lambda: (
                conn.execute(
                    """
                SELECT count(*) = 0 FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """
                ).fetchone()
                == (True,)
            ),
            "a session of the receiver is still there",
        )


async def deliver_without_end(port: int, connections: int, answered: set[str]) -> None:
    """Posts deliveries until the server is gone; `answered` gets the ids that got a 200."""
    body = b'{"text":"' + b"x" * 10_000 + b'"}'
    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits) as client:

        async def one(lane: int) -> None:
            number = 0
            while True:
                delivery_id = f"{lane}-{number}"
                try:
                    answer = await client.post(
                        "/webhooks/github", content=body, headers=signed(body, delivery_id)
                    )
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    answered.add(delivery_id)
                number += 1

        await asyncio.gather(*(one(lane) for lane in range(connections)))
