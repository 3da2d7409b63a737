"""The running system of `up` and `demo`: database, receiver, Dagster's code server, webserver, daemon.

`children` starts, restarts and ends the processes; this module defines them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.opening import CHECKOUT, check_home
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack import warden
from lightfast_pipelines.cli.stack.addresses import free_port, in_url, open_ui_warning
from lightfast_pipelines.cli.stack.answering import Answering, answers, is_not_suspended
from lightfast_pipelines.cli.stack.children import Children, StopRequest
from lightfast_pipelines.cli.stack.clock_set_back import ClockGoesOn
from lightfast_pipelines.cli.stack.code_server import (
    CODE_LOCATION,
    HasCode,
    listens,
    socket_in,
    workspace_file,
)
from lightfast_pipelines.cli.stack.dagster_api import daemon_works, reload_definitions
from lightfast_pipelines.cli.stack.dagster_ui_guard import is_loopback
from lightfast_pipelines.cli.stack.local_client import local_client
from lightfast_pipelines.cli.stack.state import alone, write_state
from lightfast_pipelines.embedded_postgres.private_folders import make_home, make_private
from lightfast_pipelines.store.logins import Role, environment_of

if TYPE_CHECKING:
    from lightfast_pipelines.settings import Settings
    from lightfast_pipelines.store.database import Database

READY_SECONDS = 120.0
_CHECK_START_SECONDS = 5.0


@dataclass(slots=True)
class Stack:
    database: Database
    children: Children
    receiver_url: str
    dagster_url: str
    home: Path
    loaded_start: date | None
    """The first daily partition that the code server has loaded; None if a setting fixes it."""

    def watch(self, stop: StopRequest) -> None:
        """Keeps the processes running until a stop is requested."""
        checked_at = time.monotonic()
        last_problem = ""
        while not stop.wait(1.0):
            try:
                self.children.mend()
                self.children.rotate_logs()
                write_state(self.home, self.children.states(), self.children.deaths())
            except OSError as error:
                # Such as a full disk or too many processes: no reason to end the receiver.
                if last_problem != str(error):
                    last_problem = str(error)
                    say(f"cannot watch the processes: {last_problem}")
            if time.monotonic() - checked_at > _CHECK_START_SECONDS:
                checked_at = time.monotonic()
                self.follow_partition_start()

    def follow_partition_start(self) -> None:
        """Reloads the definitions if older data moved the first partition back."""
        import httpx
        import psycopg

        from lightfast_pipelines.store.partition_start import read_start

        if self.loaded_start is None:
            return
        # A failure is tried again a moment later.
        with contextlib.suppress(psycopg.OperationalError, httpx.HTTPError):
            with self.database.connect(application_name="lightfast up") as conn:
                start = read_start(conn)
            if start != self.loaded_start:
                reload_definitions(self.dagster_url)
                self.loaded_start = start


@contextmanager
def running(
    settings: Settings, stop: StopRequest, *, extra: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Starts everything, yields when it is ready, and ends everything.

    `extra` holds environment variables for the child processes, such as a generated secret.
    """
    from lightfast_pipelines.store.database import open_database

    home = settings.home.expanduser().resolve()
    check_home(home)
    make_home(home)
    # Inherited by Dagster and its runs: nothing in the home is for other users of the machine.
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
    """Raises Failure if Dagster cannot reach its storage: Dagster itself would retry for minutes."""
    import psycopg

    try:
        psycopg.connect(database.dagster_address(), connect_timeout=10).close()
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
        # A run over many days writes an event for each asset and day: one by one they cost more than the work.
        "DAGSTER_EVENT_BATCH_SIZE": "200",
        "PYTHONUNBUFFERED": "1",
    }
    with database.connect(application_name="lightfast up") as conn:
        start_of_partitions = read_start(conn)
    bin_dir = Path(sys.executable).parent
    dagster_url = f"http://{in_url(settings.dagster_host)}:{dagster_port}"
    socket_path = socket_in(dagster_home)
    workspace = ["-w", str(workspace_file(dagster_home, socket_path))]
    stack = Stack(
        database,
        children,
        f"http://{in_url(settings.host)}:{receiver_port}",
        dagster_url,
        home,
        None if settings.partitions_start else start_of_partitions,
    )
    commands = {
        "receiver": [sys.executable, "-m", "webhook_receiver"],
        # Without it, the webserver would start one and the daemon another every minute.
        "dagster-code-server": [
            *(str(bin_dir / "dagster"), "code-server", "start", "--socket", str(socket_path)),
            *("-m", CODE_LOCATION + ".definitions", "--location-name", CODE_LOCATION),
            *("--log-level", "warning"),
        ],
        "dagster-webserver": [
            *(sys.executable, "-m", "lightfast_pipelines.cli.stack.dagster_ui"),
            *(*workspace, "-p", str(dagster_port)),
        ],
        # At `info` every sensor tick is a line: 120 KB an hour while nothing happens.
        "dagster-daemon": [
            *(str(bin_dir / "dagster-daemon"), "run", *workspace, "--log-level", "warning"),
        ],
        "worker": [str(bin_dir / "lightfast"), "worker"],
    }

    def end_runs_of_code_server() -> None:
        # If the database is down, the runs stay as they are until the next start.
        _correct_storage("lost_runs", socket_path.name, environment=environment, home=home)

    def forget_future_ticks() -> None:
        # If the database is down, the daemon waits for the time of its last tick.
        _correct_storage("future_ticks", environment=environment, home=home)

    def before_code_server() -> None:
        socket_path.unlink(missing_ok=True)
        end_runs_of_code_server()

    own_checks: dict[str, Callable[[subprocess.Popen[bytes]], bool]] = {
        "dagster-code-server": HasCode(),
        "dagster-daemon": ClockGoesOn(),
    }
    health_checks = {
        "receiver": answers(f"{stack.receiver_url}/healthz"),
        "dagster-webserver": answers(f"{stack.dagster_url}/server_info"),
    }
    before_restart = {
        "dagster-code-server": before_code_server,
        "dagster-daemon": forget_future_ticks,
    }

    def start(name: str) -> None:
        role: Role = "receiver" if name == "receiver" else "pipeline"
        is_whole = own_checks.get(name)
        is_at_work = Answering(health_checks.get(name, is_not_suspended))
        children.start(
            name,
            commands[name],
            environment=environment_of(role, environment),
            folder=_folder(home),
            works=lambda process: (is_whole is None or is_whole(process)) and is_at_work(process),
            before_restart=before_restart.get(name),
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
    # Before the daemon starts, which would count them as running.
    end_runs_of_code_server()
    if not wait_for("Dagster's webserver", lambda: _answers(f"{stack.dagster_url}/server_info")):
        return stack
    # Only after the webserver: at a first start both would create Dagster's tables, and one would fail.
    began = time.time()
    start("dagster-daemon")
    say("Dagster's daemon ...")
    works = wait_for("Dagster's daemon", lambda: daemon_works(stack.dagster_url, began))
    if works and settings.worker:
        start("worker")
    return stack


def _correct_storage(
    program: str, *arguments: str, environment: Mapping[str, str], home: Path
) -> None:
    """Runs a program of this package on Dagster's storage, and says the last line that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.{program}", *arguments],
        env=environment_of("pipeline", environment),
        cwd=_folder(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines()[-1:]:
        say(line)


def _folder(home: Path) -> Path:
    """Where child processes run: the checkout, or the home if the package is installed without one."""
    return CHECKOUT if (CHECKOUT / "dagster.yaml").exists() else home


def _dagster_home(home: Path) -> Path:
    folder = home / "dagster"
    # Whoever can connect to the code server's socket can run code.
    make_private(folder)
    if not (CHECKOUT / "dagster.yaml").exists():
        raise Failure(f"{CHECKOUT / 'dagster.yaml'} is missing: `lightfast up` needs a checkout")
    shutil.copyfile(CHECKOUT / "dagster.yaml", folder / "dagster.yaml")
    return folder


def _answers(url: str) -> bool:
    import httpx

    try:
        return local_client().get(url, timeout=2.0).is_success
    except httpx.HTTPError:
        return False
