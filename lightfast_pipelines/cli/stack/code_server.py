"""Dagster's code server under `up`: where it listens, how other processes find it, whether it is alive."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
from pathlib import Path

import psutil

CODE_LOCATION = "lightfast_pipelines"
# The limit of macOS; Linux allows four bytes more.
_LONGEST_SOCKET_PATH = 103


def socket_in(folder: Path) -> Path:
    """Where the code server listens: in Dagster's folder, or in a temporary one if that path is too long.

    Its name is unique to this home and is recorded in every run, since homes may share Dagster's storage.
    """
    stack_id = folder / "stack-id"
    if not stack_id.exists():
        stack_id.write_text(secrets.token_hex(4))
    path = folder / f"code-{stack_id.read_text().strip()}.sock"
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="lightfast-")) / path.name
    path.unlink(missing_ok=True)
    return path


def workspace_file(folder: Path, socket_path: Path) -> Path:
    """Writes a workspace file for the code server that `up` runs."""
    path = folder / "workspace.yaml"
    # JSON is valid YAML, whatever characters the path has.
    server = {"socket": str(socket_path), "location_name": CODE_LOCATION}
    path.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))
    return path


def listens(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
    return True


class HasCode:
    """Whether the code server still has the process that loads the code and starts the runs.

    Dagster starts that process once, and again on a reload of definitions, but not when it dies.
    """

    def __init__(self) -> None:
        self._server: int | None = None
        self._newest: tuple[psutil.Process, float] | None = None

    def __call__(self, server: subprocess.Popen[bytes]) -> bool:
        if server.pid != self._server:
            self._server, self._newest = server.pid, None
        try:
            holders = [
                (child, child.create_time())
                for child in psutil.Process(server.pid).children()
                if child.status() != psutil.STATUS_ZOMBIE and "grpc" in child.cmdline()
            ]
        except psutil.Error:
            return True  # a process ended meanwhile: the next call sees what is left
        newest = max(holders, key=lambda holder: holder[1], default=None)
        before = self._newest
        if before is None or (newest is not None and newest[1] >= before[1]):
            self._newest = newest
            return True
        return before[0].is_running() and before[0].status() != psutil.STATUS_ZOMBIE
