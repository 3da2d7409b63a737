"""Several processes that receive on one port: starts them, replaces one that dies, and ends them.

Each worker has a listener of its own, among which the kernel divides new connections. The parent keeps all
listeners open, so connections that wait for a worker that died are served by the one that replaces it. A
worker whose parent is gone ends too. Workers know nothing of each other: they meet only in the database.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightfast_pipelines.providers import discover
from lightfast_pipelines.settings import Settings
from webhook_receiver import logs
from webhook_receiver.metrics import Cells, Layout, mapped_cells
from webhook_receiver.server import SHUTDOWN_SECONDS, announce, listen, show_metrics

STEADY_SECONDS = 30.0
"""A worker that lived longer is replaced at once when it dies."""
LONGEST_PAUSE = 5.0
"""Connections wait during the pause, and senders give up after ten seconds."""

log = logging.getLogger(__name__)


class WorkersError(Exception):
    """No worker can start."""


@dataclass(slots=True)
class _Worker:
    listener: socket.socket
    cells_file: int
    cells: Cells
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None
    """Its other end is the worker's: it says when it is ready, and each sees that the other is gone."""
    has_been_ready: bool = False
    started_at: float = 0.0
    starts_at: float = 0.0
    deaths_in_a_row: int = 0


@dataclass(slots=True)
class _Crew:
    settings: Settings
    port_file: Path | None
    layout: Layout
    workers: list[_Worker] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    is_announced: bool = False


def supervise(settings: Settings, count: int, *, port_file: Path | None = None) -> None:
    """Runs so many workers until SIGTERM or SIGINT, then lets them finish.

    Raises OSError if the port is taken, WorkersError if a worker ends before it ever was ready.
    """
    layout = Layout(discover())
    crew = _Crew(settings, port_file, layout)
    crew.workers = [
        _Worker(listener, *_shared_cells(layout))
        for listener in _listeners(settings.host, settings.receiver_port, count)
    ]
    show_metrics(settings, layout, [worker.cells for worker in crew.workers])
    try:
        while True:
            _step(crew)
    finally:
        _end(crew.workers)
        if port_file is not None:
            port_file.unlink(missing_ok=True)


def _listeners(host: str, port: int, count: int) -> list[socket.socket]:
    # Sharing would also succeed beside another receiver, perhaps with another database.
    listen(host, port).close()
    first = listen(host, port, shares_port=True)
    port = first.getsockname()[1]
    return [first, *(listen(host, port, shares_port=True) for _ in range(count - 1))]


def _shared_cells(layout: Layout) -> tuple[int, Cells]:
    if hasattr(os, "memfd_create"):
        # On a full disk, the first addition to a mapped file would kill its process (SIGBUS).
        descriptor = os.memfd_create("lightfast-receiver")
    else:
        with tempfile.TemporaryFile(prefix="lightfast-receiver-") as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, 8 * layout.size)
    return descriptor, mapped_cells(descriptor)


def _step(crew: _Crew) -> None:
    """Starts the workers whose time has come, and waits until something happens to one."""
    now = time.monotonic()
    for worker in crew.workers:
        if worker.process is None and worker.starts_at <= now:
            _start(crew, worker)
    pauses = [worker.starts_at - now for worker in crew.workers if worker.process is None]
    for key, _ in crew.selector.select(max(0.0, min(pauses)) if pauses else None):
        worker = key.data
        if not _received(worker):
            _bury(crew, worker)
            continue
        worker.has_been_ready = True
        if not crew.is_announced and all(other.has_been_ready for other in crew.workers):
            crew.is_announced = True
            announce(worker.listener, crew.port_file)


def _start(crew: _Crew, worker: _Worker) -> None:
    crew.layout.clear_gauges(worker.cells)
    worker.control, theirs = socket.socketpair()
    descriptors = (worker.listener.fileno(), theirs.fileno(), worker.cells_file)
    given = ",".join(str(number) for number in (*descriptors, len(crew.workers)))
    with theirs:
        worker.process = subprocess.Popen(
            [sys.executable, "-m", "webhook_receiver", "--worker", given],
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
        )
    worker.started_at = time.monotonic()
    crew.selector.register(worker.control, selectors.EVENT_READ, worker)


def _received(worker: _Worker) -> bytes:
    assert worker.control is not None
    try:
        return worker.control.recv(16)
    except ConnectionError:
        return b""


def _bury(crew: _Crew, worker: _Worker) -> None:
    """Notes that a worker is gone, and when the next one takes its place."""
    assert worker.process is not None
    assert worker.control is not None
    crew.selector.unregister(worker.control)
    worker.control.close()
    code = _wait(worker.process, SHUTDOWN_SECONDS)
    if not worker.has_been_ready and code > 0:
        raise WorkersError("a worker could not start")
    lived = time.monotonic() - worker.started_at
    worker.deaths_in_a_row = 0 if lived > STEADY_SECONDS else worker.deaths_in_a_row + 1
    pause = min(worker.deaths_in_a_row * 0.5, LONGEST_PAUSE) if worker.deaths_in_a_row > 1 else 0
    worker.starts_at = time.monotonic() + pause
    worker.process = worker.control = None
    crew.layout.clear_gauges(worker.cells)
    fields = {"code": code, "lived_seconds": round(lived, 1), "pause_seconds": pause}
    log.error("a worker died", extra={"fields": fields})


def _end(workers: Sequence[_Worker]) -> None:
    """Closes the port, and lets the workers finish."""
    for worker in workers:
        worker.listener.close()
        if worker.process is not None:
            worker.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + SHUTDOWN_SECONDS + 2
    for worker in workers:
        if worker.process is not None:
            _wait(worker.process, deadline - time.monotonic())
    logs.flush()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Its exit code; it is killed if it takes longer."""
    try:
        return process.wait(max(seconds, 0))
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
