"""The receiver as a process: settings, socket, signals, port file.

Its answers are in `app.py`.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn

from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import Secret
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.settings.addresses import host_and_port
from lightfast_pipelines.store.database import Database, open_database
from lightfast_pipelines.store.logins import SETTINGS
from lightfast_pipelines.store.migrate import MigrationError
from lightfast_pipelines.store.sealed import Keys
from webhook_receiver import logs
from webhook_receiver.app import Receiver, create_app
from webhook_receiver.exposition import serve_metrics
from webhook_receiver.gate import Gate
from webhook_receiver.limits import Limits
from webhook_receiver.logs import error_type
from webhook_receiver.metrics import Cells, Layout, Metrics
from webhook_receiver.room import SPARE_DESCRIPTORS, Room

SHUTDOWN_SECONDS = 15
BACKLOG = 2048
CONNECTS_WITHIN_SECONDS = 3.0
"""Connections wait so long for a worker that replaces another to reach the database."""

log = logging.getLogger("webhook_receiver")


def serve(settings: Settings, *, port_file: Path | None = None) -> None:
    """Serves in this process until SIGTERM or SIGINT, then finishes the deliveries in progress.

    Writes the port, as digits, to `port_file` once it accepts connections.
    """
    listener = listen(settings.host, settings.receiver_port)
    metrics = Metrics(discover())
    show_metrics(settings, metrics.layout, [metrics.cells])
    try:
        run(settings, listener, metrics, lambda _: announce(listener, port_file))
    finally:
        if port_file is not None:
            port_file.unlink(missing_ok=True)


def run(
    settings: Settings,
    listener: socket.socket,
    metrics: Metrics,
    on_start: Callable[[uvicorn.Server], None],
    *,
    workers: int = 1,
) -> None:
    """Serves what arrives at the listener until a signal; it is one of so many workers.

    `on_start` is called on the event loop once it accepts connections.
    """
    try:
        keys = _keys(settings)
        # An embedded database is started here; another one may be unreachable for now.
        if settings.is_embedded:
            log.info("home", extra={"fields": {"folder": str(settings.home)}})
        with open_database(settings, migrate=False) as database:
            if SETTINGS["receiver"] in database.without_own_login():
                reason = f"it holds the owner's login until {SETTINGS['receiver']} is set"
                log.warning("no login of its own", extra={"fields": {"reason": reason}})
            app = _app(settings, database, keys, metrics, workers)
            room = _room(settings, metrics, workers)
            _Server(server_config(app, room), on_start).run(sockets=[listener])
    finally:
        listener.close()


def show_metrics(settings: Settings, layout: Layout, workers: Sequence[Cells]) -> None:
    if (address := host_and_port(settings.metrics_address)) is not None:
        serve_metrics(*address, layout, workers)


def _keys(settings: Settings) -> Keys | None:
    """Raises SealedError for a malformed ENCRYPTION_KEY: no receiver is better than one that opens nothing."""
    setting = settings.encryption_key.get_secret_value() if settings.encryption_key else ""
    return Keys.parse(setting) if setting else None


def _app(
    settings: Settings, database: Database, keys: Keys | None, metrics: Metrics, workers: int
) -> Receiver:
    providers = discover()
    secrets = {
        name: [
            Secret(*secret) for secret in settings.webhook_secrets(tuple(provider.secret_settings))
        ]
        for name, provider in providers.items()
    }
    for name, own_secrets in secrets.items():
        fields = {"provider": name, "secrets": [secret.name for secret in own_secrets]}
        if own_secrets:
            log.info("provider", extra={"fields": fields})
        else:
            settings_names = " or ".join(providers[name].secret_settings)
            fields["reason"] = f"every delivery is refused until {settings_names} is set"
            log.warning("provider without secret", extra={"fields": fields})
    return create_app(
        dsn=_migrated_address(database),
        providers=providers,
        secrets=secrets,
        keys=keys,
        partitions_start=settings.earliest_day,
        metrics=metrics,
        connects_within=CONNECTS_WITHIN_SECONDS if workers > 1 else 0.0,
    )


def _migrated_address(database: Database) -> Callable[[], str]:
    """Returns a function that gives the receiver's address and migrates before the first connection."""
    migrated = False

    def address() -> str:
        nonlocal migrated
        if not migrated:
            try:
                database.migrate()
            except MigrationError as error:
                # The message is written for an operator: what the server lacks, and what to do.
                log.warning("not migrated", extra={"fields": {"error": str(error)}})
            except Exception as error:
                # Perhaps only another role may migrate. If tables are missing, storing reports it.
                log.warning("not migrated", extra={"fields": {"error": error_type(error)}})
            else:
                migrated = True
        return database.url("receiver")

    return address


def _room(settings: Settings, metrics: Metrics, workers: int) -> Room:
    """Allows this worker's share of what the settings and the descriptors allow."""
    connections = -(-settings.max_connections // workers)
    # A share that is smaller than a body would refuse such a body for ever.
    largest_body = min(settings.max_body_bytes, settings.max_inflight_bytes)
    return Room(
        Limits(
            max_body_bytes=settings.max_body_bytes,
            max_inflight_bytes=max(settings.max_inflight_bytes // workers, largest_body),
            body_timeout_seconds=settings.body_timeout_seconds,
            max_connections=min(connections, _descriptors() - SPARE_DESCRIPTORS),
            max_connections_per_address=settings.max_connections_per_address,
        ),
        trusted_proxies=settings.proxy_networks(),
        metrics=metrics,
    )


def _descriptors() -> int:
    """How many descriptors this process may have, after raising the limit as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        # macOS says "unlimited" and means less.
        log.info("descriptors", extra={"fields": {"limit": soft, "error": error_type(error)}})
        return max(soft, 2 * SPARE_DESCRIPTORS)
    return max(hard, 2 * SPARE_DESCRIPTORS) if hard >= 0 else sys.maxsize


def server_config(app: Receiver, room: Room) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        # uvicorn only calls it, though its type asks for a class.
        http=cast(Any, partial(Gate, room=room, webhooks=app.webhooks)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        # The gate ends idle connections.
        timeout_keep_alive=int(room.limits.life_seconds) + 1,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


class _Server(uvicorn.Server):
    """Calls `on_start` once it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[uvicorn.Server], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Everything loaded by now stays. Otherwise the deliveries in progress make the garbage
        # collector look at all of it once per thousand of them: a tenth of the time of each.
        gc.collect()
        gc.freeze()
        if self.started:
            self._on_start(self)


def listen(host: str, port: int, *, shares_port: bool = False) -> socket.socket:
    """A socket bound to the address; `shares_port` lets others of this user bind to the same one."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def announce(listener: socket.socket, port_file: Path | None) -> None:
    """Logs where the receiver listens, and writes the port to the file."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if port_file is not None:
        # A process that waits for the file must never read half of it.
        unfinished = port_file.with_name(f"{port_file.name}.{os.getpid()}")
        unfinished.write_text(str(port))
        unfinished.replace(port_file)
    log.info("listening", extra={"fields": {"url": f"http://{shown}:{port}", "pid": os.getpid()}})
    logs.flush()
