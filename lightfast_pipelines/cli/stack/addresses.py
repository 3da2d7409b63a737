"""Where the receiver and Dagster's UI listen: free ports, and hosts as a browser opens them."""

from __future__ import annotations

import socket

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.root import Failure


def open_ui_warning(host: str, port: int) -> str:
    """Warns that Dagster's UI listens on an address that other machines reach."""
    return (
        f"WARNING: Dagster's UI listens on {host}: whoever reaches port {port} of this machine can start "
        "and cancel runs and read what Dagster knows, without a password. Set "
        "LIGHTFAST_DAGSTER_HOST=127.0.0.1 and put a proxy that asks for a password in front of it "
        "(docs/operations.md, `Opening Dagster's UI to others`)"
    )


def free_port(
    host: str, wanted: int, what: str, setting: str, *, host_setting: str = "LIGHTFAST_HOST"
) -> int:
    """`wanted` if it is free, else another port, and says so. Raises Failure if the host is unusable."""
    try:
        return _bind(host, wanted)
    except OSError as error:
        if wanted == 0:
            raise Failure(f"{host_setting}={host}: {error.strerror}") from error
        other = _bind(host, 0)
        say(
            f"port {wanted} is not free for the {what}: it uses {other} instead ({setting} sets another)"
        )
        return other


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def in_url(host: str) -> str:
    """The host as a browser on this machine can open it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
