"""One of several workers: serves on the listener that its parent opened.

`workers.py` is the parent, and starts this with the descriptors of what they share.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import uvicorn

from lightfast_pipelines.providers import discover
from lightfast_pipelines.settings import Settings
from webhook_receiver.metrics import Metrics, mapped_cells
from webhook_receiver.server import run


def serve_as_worker(settings: Settings, given: str) -> None:
    """Serves until a signal, or until the parent is gone; then finishes what is in progress."""
    listener_file, control_file, cells_file, workers = (int(part) for part in given.split(","))
    listener, control = socket.socket(fileno=listener_file), socket.socket(fileno=control_file)
    control.setblocking(False)
    metrics = Metrics(discover(), mapped_cells(cells_file))

    def watch_parent(server: uvicorn.Server) -> None:
        def parent_is_gone() -> None:
            loop.remove_reader(control)
            server.should_exit = True

        loop = asyncio.get_running_loop()
        loop.add_reader(control, parent_is_gone)
        # If the parent is gone already, the reader sees it.
        with suppress(BrokenPipeError):
            control.send(b"ready")

    with control:
        run(settings, listener, metrics, watch_parent, workers=workers)
