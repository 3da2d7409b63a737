"""The running system of `up` and `demo`: database, receiver, Dagster's webserver and daemon.

What a process is, and how it ends, stands in `children.py`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.cli.children import Children, Stop
from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.settings import Settings
    from lightfast_pipelines.store.database import Database

CHECKOUT = Path(__file__).parents[2]
READY_SECONDS = 120.0


@dataclass(slots=True)
class Stack:
    database: Database
    children: Children
    receiver_url: str
    dagster_url: str

    def watch(self, stop: Stop) -> None:
        """Returns when the end is asked for; fails, with its last words, when a process dies."""
        while not stop.wait(1.0):
            dead = self.children.dead()
            if dead is not None:
                raise Failure(dead.epitaph())


@contextmanager
def running(
    settings: Settings, stop: Stop, *, extra: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Starts everything, yields when it is ready, and ends everything.

    `extra` are environment variables for the children (a generated secret).
    """
    from lightfast_pipelines.store.database import open_database

    home = settings.home.expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        say("database ...")
        with open_database(settings) as database:
            children = Children(home / "logs")
            try:
                yield _start(settings, home, database, children, stop, extra or {})
            finally:
                say(f"{stop.asked_by}: stopping ..." if stop.asked_by else "stopping ...")
                children.end()


def _start(
    settings: Settings,
    home: Path,
    database: Database,
    children: Children,
    stop: Stop,
    extra: Mapping[str, str],
) -> Stack:
    receiver_port = free_port(
        settings.host, settings.receiver_port, "receiver", "LIGHTFAST_RECEIVER_PORT"
    )
    dagster_port = free_port(
        settings.host, settings.dagster_port, "Dagster", "LIGHTFAST_DAGSTER_PORT"
    )
    dagster_home = _dagster_home(home)
    environment = {
        **os.environ,
        **extra,
        "LIGHTFAST_HOME": str(home),
        "LIGHTFAST_RECEIVER_PORT": str(receiver_port),
        "LIGHTFAST_DAGSTER_URL": database.dagster_url(),
        "DAGSTER_HOME": str(dagster_home),
        # A range run writes an event an asset and day: one by one they cost more than the work.
        "DAGSTER_EVENT_BATCH_SIZE": "200",
        "PYTHONUNBUFFERED": "1",
    }
    bin_dir = Path(sys.executable).parent
    workspace = ["-w", str(dagster_home / "workspace.yaml")]
    host = ["-h", settings.host, "-p", str(dagster_port)]
    stack = Stack(
        database,
        children,
        f"http://{_in_url(settings.host)}:{receiver_port}",
        f"http://{_in_url(settings.host)}:{dagster_port}",
    )
    commands = {
        "receiver": [sys.executable, "-m", "webhook_receiver"],
        "dagster-webserver": [
            str(bin_dir / "dagster-webserver"),
            *host,
            *workspace,
            "--log-level",
            "warning",
        ],
        "dagster-daemon": [str(bin_dir / "dagster-daemon"), "run", *workspace],
    }

    def start(name: str) -> None:
        children.start(name, commands[name], environment=environment, folder=_folder(home))

    start("receiver")
    start("dagster-webserver")
    say("receiver ...")
    children.wait_until(
        "the receiver",
        lambda: _answers(f"{stack.receiver_url}/readyz"),
        stop=stop,
        timeout=READY_SECONDS,
    )
    say("Dagster's webserver ...")
    children.wait_until(
        "Dagster's webserver",
        lambda: _answers(f"{stack.dagster_url}/server_info"),
        stop=stop,
        timeout=READY_SECONDS,
    )
    # Not beside the webserver: at a first start both would make Dagster's tables, and one would fail.
    began = time.time()
    start("dagster-daemon")
    say("Dagster's daemon ...")
    children.wait_until(
        "Dagster's daemon",
        lambda: _daemon_works(stack.dagster_url, began),
        stop=stop,
        timeout=READY_SECONDS,
    )
    return stack


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One stack a home: a second daemon would ask for the same runs."""
    with (home / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"`lightfast up` or `demo` runs already with LIGHTFAST_HOME={home}; end that first"
            ) from error
        yield


def _folder(home: Path) -> Path:
    """Where children run: the checkout, or the home where the package is installed without one."""
    return CHECKOUT if (CHECKOUT / "workspace.yaml").exists() else home


def _dagster_home(home: Path) -> Path:
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("dagster.yaml", "workspace.yaml"):
        if not (CHECKOUT / name).exists():
            raise Failure(f"{CHECKOUT / name} is missing: `lightfast up` needs a checkout")
    shutil.copyfile(CHECKOUT / "dagster.yaml", folder / "dagster.yaml")
    text = (CHECKOUT / "workspace.yaml").read_text()
    # The copy lies elsewhere, so the folder it means is written out.
    text = text.replace("working_directory: .", f"working_directory: {CHECKOUT}")
    (folder / "workspace.yaml").write_text(text)
    return folder


def free_port(host: str, wanted: int, what: str, setting: str) -> int:
    """`wanted` where it is free, else a free one, and says so. Raises Failure for an unusable host."""
    try:
        return _bind(host, wanted)
    except OSError as error:
        if wanted == 0:
            raise Failure(f"LIGHTFAST_HOST={host}: {error.strerror}") from error
        found = _bind(host, 0)
        say(
            f"port {wanted} is not free for the {what}: it takes {found} instead ({setting} chooses another)"
        )
        return found


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _in_url(host: str) -> str:
    """An address that a browser on this machine can open."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def ask_dagster(url: str, query: str) -> dict[str, Any]:
    """The data of a GraphQL answer of Dagster's webserver. Raises httpx.HTTPError."""
    import httpx

    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=10.0, trust_env=False)
    answer.raise_for_status()
    data: dict[str, Any] = answer.json().get("data") or {}
    return data


_UNFINISHED = """
{
  runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}, limit: 1) {
    ... on Runs { results { id } }
  }
}
"""


def is_idle(url: str) -> bool:
    """Whether no run of Dagster is under way; also where it cannot be asked."""
    import httpx

    try:
        return not (ask_dagster(url, _UNFINISHED).get("runsOrError") or {}).get("results")
    except httpx.HTTPError:
        return True


_HEALTH = """
{
  instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } }
  workspaceOrError {
    ... on Workspace { locationEntries { locationOrLoadError { ... on PythonError { message } } } }
  }
}
"""


def _daemon_works(url: str, since: float) -> bool:
    """Whether each daemon that must run has given a sign of life since then (Unix time)."""
    import httpx

    try:
        data = ask_dagster(url, _HEALTH)
    except httpx.HTTPError:
        return False
    for entry in (data.get("workspaceOrError") or {}).get("locationEntries") or ():
        message = (entry.get("locationOrLoadError") or {}).get("message")
        if message:
            raise Failure(
                f"Dagster cannot load the code location: {str(message).strip().splitlines()[0]}"
            )
    statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    return bool(statuses) and all(
        status["healthy"] and (status["lastHeartbeatTime"] or 0.0) >= since
        for status in statuses
        if status["required"]
    )


def receiver_hints(receiver_url: str, set_by: Callable[[str], bool]) -> list[str]:
    """A line a provider: where its webhooks go, and whether its secret is set."""
    from lightfast_pipelines.providers import discover

    lines = []
    for name, provider in discover().items():
        secrets = [setting for setting in provider.secret_settings if set_by(setting)]
        state = (
            "secret is set"
            if secrets
            else f"every delivery is refused until {' or '.join(provider.secret_settings)} is set"
        )
        lines.append(f"{receiver_url}/webhooks/{name}  ({state})")
    return lines
