"""The running system of `up` and `demo`: database, receiver, Dagster's code server, webserver, daemon.

What a process is, and how it ends, stands in `children.py`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.opening import CHECKOUT, check_home
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack import warden
from lightfast_pipelines.cli.stack.answering import Answering, answers, is_not_suspended
from lightfast_pipelines.cli.stack.children import Children, StopRequest
from lightfast_pipelines.cli.stack.code_server import (
    CODE_LOCATION,
    HasCode,
    listens,
    socket_in,
    workspace_file,
)
from lightfast_pipelines.cli.stack.dagster_ui_guard import is_loopback
from lightfast_pipelines.cli.stack.state import alone, note
from lightfast_pipelines.embedded_postgres.private_folders import make_home, make_private
from lightfast_pipelines.store.logins import Role, environment_of

if TYPE_CHECKING:
    from lightfast_pipelines.settings import Settings
    from lightfast_pipelines.store.database import Database

READY_SECONDS = 120.0
_LOOK_AT_START_SECONDS = 5.0


@dataclass(slots=True)
class Stack:
    database: Database
    children: Children
    receiver_url: str
    dagster_url: str
    home: Path
    loaded_start: date | None
    """First daily partition as the code server loaded it; None where a setting fixes it."""

    def watch(self, stop: StopRequest) -> None:
        """Returns when the end is asked for; what dies meanwhile is started again."""
        looked = time.monotonic()
        trouble = ""
        while not stop.wait(1.0):
            try:
                self.children.mend()
                self.children.rotate_logs()
                note(self.home, self.children.states(), self.children.deaths())
            except OSError as error:
                # A full disk, or no process to be had: the receiver must not end for that.
                if trouble != str(error):
                    trouble = str(error)
                    say(f"cannot look after the stack's processes as usual: {trouble}")
            if time.monotonic() - looked > _LOOK_AT_START_SECONDS:
                looked = time.monotonic()
                self.follow_partition_start()

    def follow_partition_start(self) -> None:
        """Has the definitions loaded anew where older data moved the first partition back."""
        import httpx
        import psycopg

        from lightfast_pipelines.store.partition_start import read_start

        if self.loaded_start is None:
            return
        # Either is looked at again a moment later.
        with contextlib.suppress(psycopg.OperationalError, httpx.HTTPError):
            with self.database.connect(application_name="lightfast up") as conn:
                start = read_start(conn)
            if start != self.loaded_start:
                ask_dagster(self.dagster_url, _RELOAD)
                self.loaded_start = start


@contextmanager
def running(
    settings: Settings, stop: StopRequest, *, extra: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Starts everything, yields when it is ready, and ends everything.

    `extra` are environment variables for the children (a generated secret).
    """
    from lightfast_pipelines.store.database import open_database

    home = settings.home.expanduser().resolve()
    check_home(home)
    make_home(home)
    # Also for what Dagster and its runs write: nothing in the home is for other users of the machine.
    os.umask(0o077)
    with alone(home):
        say(f"home: {home}")
        say("database ...")
        with open_database(settings) as database:
            check_storage(database)
            _warn_of_owner(database)
            if left := warden.end(warden.of_home(str(home))):
                say(f"ended {left} processes that an earlier start left running")
            children = Children(home / "logs")
            try:
                yield _start(settings, home, database, children, stop, extra or {})
            finally:
                say(f"{stop.asked_by}: stopping ..." if stop.asked_by else "stopping ...")
                children.end()


def _warn_of_owner(database: Database) -> None:
    missing = database.without_own_login()
    if missing:
        say(
            f"the owner's database login is in every process without its own ({', '.join(missing)} not "
            "set): `lightfast db roles` makes one for each"
        )


def check_storage(database: Database) -> None:
    """Dagster itself would try for long, and end in a traceback. Raises Failure."""
    import psycopg

    address = "postgresql://" + database.dagster_url().partition("://")[2]
    try:
        psycopg.connect(address, connect_timeout=10).close()
    except psycopg.Error as error:
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Failure(
            f"Dagster's own storage: {line} (LIGHTFAST_DAGSTER_DATABASE_URL says where it is; "
            "unset: beside the memory)"
        ) from error


def _start(
    settings: Settings,
    home: Path,
    database: Database,
    children: Children,
    stop: StopRequest,
    extra: Mapping[str, str],
) -> Stack:
    from lightfast_pipelines.store.partition_start import read_start

    receiver_port = free_port(
        settings.host, settings.receiver_port, "receiver", "LIGHTFAST_RECEIVER_PORT"
    )
    dagster_port = free_port(
        settings.dagster_host,
        settings.dagster_port,
        "Dagster",
        "LIGHTFAST_DAGSTER_PORT",
        host_setting="LIGHTFAST_DAGSTER_HOST",
    )
    if not is_loopback(settings.dagster_host):
        say(open_ui_warning(settings.dagster_host, dagster_port))
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
    with database.connect(application_name="lightfast up") as conn:
        start_of_partitions = read_start(conn)
    bin_dir = Path(sys.executable).parent
    dagster_url = f"http://{_in_url(settings.dagster_host)}:{dagster_port}"
    socket_path = socket_in(dagster_home)
    workspace = ["-w", str(workspace_file(dagster_home, socket_path))]
    stack = Stack(
        database,
        children,
        f"http://{_in_url(settings.host)}:{receiver_port}",
        dagster_url,
        home,
        None if settings.partitions_start else start_of_partitions,
    )
    commands = {
        "receiver": [sys.executable, "-m", "webhook_receiver"],
        # Webserver and daemon would each start one of their own, the daemon a new one every minute.
        "dagster-code-server": [
            *(str(bin_dir / "dagster"), "code-server", "start", "--socket", str(socket_path)),
            *("-m", CODE_LOCATION + ".definitions", "--location-name", CODE_LOCATION),
            *("--log-level", "warning"),
        ],
        "dagster-webserver": [
            *(sys.executable, "-m", "lightfast_pipelines.cli.stack.dagster_ui"),
            *(*workspace, "-p", str(dagster_port)),
        ],
        # At `info` each look of a sensor is a line: 120 KB an hour while nothing happens.
        "dagster-daemon": [
            *(str(bin_dir / "dagster-daemon"), "run", *workspace, "--log-level", "warning"),
        ],
    }

    end_lost_runs = [
        sys.executable,
        "-m",
        "lightfast_pipelines.cli.stack.lost_runs",
        socket_path.name,
    ]

    def end_runs_of_code_server() -> None:
        # Should the database be away, the runs stay as they are until the next start.
        ended = subprocess.run(
            end_lost_runs,
            env=environment_of("pipeline", environment),
            cwd=_folder(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in (ended.stdout if ended.returncode == 0 else ended.stderr).splitlines()[-1:]:
            say(line)

    def before_code_server() -> None:
        socket_path.unlink(missing_ok=True)
        end_runs_of_code_server()

    asked = {
        "receiver": answers(f"{stack.receiver_url}/healthz"),
        "dagster-webserver": answers(f"{stack.dagster_url}/server_info"),
    }

    def start(name: str) -> None:
        role: Role = "receiver" if name == "receiver" else "pipeline"
        serves_code = name == "dagster-code-server"
        has_code, is_at_work = HasCode(), Answering(asked.get(name, is_not_suspended))
        children.start(
            name,
            commands[name],
            environment=environment_of(role, environment),
            folder=_folder(home),
            works=lambda process: (not serves_code or has_code(process)) and is_at_work(process),
            before_restart=before_code_server if serves_code else None,
            is_vital=name == "receiver",
        )

    def wait_for(what: str, ready: Callable[[], bool]) -> bool:
        children.wait_until(what, ready, stop=stop, timeout=READY_SECONDS)
        return not stop.is_asked()

    start("receiver")
    start("dagster-code-server")
    say("receiver ...")
    if not wait_for("the receiver", lambda: _answers(f"{stack.receiver_url}/readyz")):
        return stack
    say("Dagster's code server ...")
    if not wait_for("Dagster's code server", lambda: listens(socket_path)):
        return stack
    start("dagster-webserver")
    say("Dagster's webserver ...")
    # Before the daemon, which would count them as at work.
    end_runs_of_code_server()
    if not wait_for("Dagster's webserver", lambda: _answers(f"{stack.dagster_url}/server_info")):
        return stack
    # Not beside the webserver: at a first start both would make Dagster's tables, and one would fail.
    began = time.time()
    start("dagster-daemon")
    say("Dagster's daemon ...")
    wait_for("Dagster's daemon", lambda: _daemon_works(stack.dagster_url, began))
    return stack


def _folder(home: Path) -> Path:
    """Where children run: the checkout, or the home where the package is installed without one."""
    return CHECKOUT if (CHECKOUT / "dagster.yaml").exists() else home


def _dagster_home(home: Path) -> Path:
    folder = home / "dagster"
    # Whoever reaches the code server's socket can have code run.
    make_private(folder)
    if not (CHECKOUT / "dagster.yaml").exists():
        raise Failure(f"{CHECKOUT / 'dagster.yaml'} is missing: `lightfast up` needs a checkout")
    shutil.copyfile(CHECKOUT / "dagster.yaml", folder / "dagster.yaml")
    return folder


def open_ui_warning(host: str, port: int) -> str:
    """What it means that Dagster's UI listens on an address that others reach."""
    return (
        f"WARNING: Dagster's UI listens on {host}: whoever reaches port {port} of this machine can start "
        "and cancel runs and read what Dagster knows, without a password. Set "
        "LIGHTFAST_DAGSTER_HOST=127.0.0.1 and put a proxy that asks for a password in front of it "
        "(docs/operations.md, `Opening Dagster's UI to others`)"
    )


def free_port(
    host: str, wanted: int, what: str, setting: str, *, host_setting: str = "LIGHTFAST_HOST"
) -> int:
    """`wanted` where it is free, else a free one, and says so. Raises Failure for an unusable host."""
    try:
        return _bind(host, wanted)
    except OSError as error:
        if wanted == 0:
            raise Failure(f"{host_setting}={host}: {error.strerror}") from error
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


_RELOAD = f"""
mutation {{
  reloadRepositoryLocation(repositoryLocationName: "{CODE_LOCATION}") {{ __typename }}
}}
"""

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
