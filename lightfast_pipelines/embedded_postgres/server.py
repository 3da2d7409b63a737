"""The interface of the embedded Postgres: join or start the server, hold a lease on it, ask its status.

The guardian does the rest, in a process of its own.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from lightfast_pipelines.embedded_postgres import locks
from lightfast_pipelines.embedded_postgres.control import ControlFolder, State
from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError

PACKAGE_ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.01
GUARDIAN_CHECK_SECONDS = 1.0
# The guardian outlives its starter by far, so it gets none of its secrets and no PG* variable.
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "VIRTUAL_ENV",
)


@dataclass(frozen=True)
class ServerStatus:
    running: bool
    pid: int | None
    data_dir: Path | None
    socket_dir: Path | None
    log_file: Path
    users: int


class EmbeddedPostgres:
    """The server of a home. Creating this object starts nothing; `settings` apply when the server starts."""

    def __init__(
        self, home: Path, *, idle_seconds: float = 600.0, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = home.expanduser().resolve()
        self._control = ControlFolder(self.home)
        self._idle_seconds = idle_seconds
        self._settings = dict(settings or {})

    def exists(self) -> bool:
        """Whether the home has a database, running or not. Creates and starts nothing."""
        identity = self._control.identity()
        return identity is not None and identity.initialised

    def acquire(self, timeout: float = 60.0) -> "Lease":
        """Joins the server, starts it if necessary, and returns when it accepts connections."""
        deadline = time.monotonic() + timeout
        self._control.prepare()
        before = self._control.state()
        users_fd = self._join(deadline)
        try:
            while True:
                self.ensure_guardian()
                state = self._control.state()
                if state is not None and state.phase == "ready" and _answers(state):
                    return Lease(self, users_fd, state)
                if state is not None and state.phase == "failed" and state != before:
                    raise EmbeddedPostgresError(state.message)
                self._pause(deadline)
        except BaseException:
            os.close(users_fd)
            raise

    def status(self) -> ServerStatus:
        state = self._control.state()
        identity = self._control.identity()
        # Connecting would count as use, so it is tried only if no guardian vouches for the state.
        guarded = locks.is_locked(self._control.guardian_lock)
        running = state is not None and state.phase == "ready" and (guarded or _answers(state))
        socket_dir = identity.socket_dir if identity else None
        return ServerStatus(
            running=running,
            pid=state.postmaster_pid if running and state else None,
            data_dir=Path(identity.place) / "data" if identity else None,
            socket_dir=Path(socket_dir) if socket_dir else None,
            log_file=self._control.log,
            users=locks.shared_holders(self._control.users),
        )

    def url_if_running(
        self, database: str = "lightfast", user: str = "lightfast_pipeline"
    ) -> str | None:
        """A libpq URL of the server if it runs now; starts nothing and takes no lease."""
        state = self._control.state()
        return _url(state, database, user) if state is not None and self.status().running else None

    def stop(self, *, force: bool = False, timeout: float = 90.0) -> bool:
        """Stops the server if nobody holds a lease or a connection, or in any case with `force`.

        Returns whether it is stopped. A lease in this process counts too.
        """
        if not self._control.folder.exists():
            return True
        self._control.prepare()
        if not self._may_run():
            return True
        deadline = time.monotonic() + timeout
        users_fd = locks.try_lock(self._control.users, shared=False)
        if users_fd is None and not force:
            return False
        try:
            return self._ask_to_stop(force, deadline)
        finally:
            self._control.stop_request.unlink(missing_ok=True)
            if users_fd is not None:
                os.close(users_fd)

    def _may_run(self) -> bool:
        if locks.is_locked(self._control.guardian_lock):
            return True
        identity = self._control.identity()
        return identity is not None and Path(identity.place, "data", "postmaster.pid").exists()

    def _ask_to_stop(self, force: bool, deadline: float) -> bool:
        # If the last guardian was killed, its server may still run; only a guardian can tell.
        self.ensure_guardian()
        while locks.is_locked(self._control.guardian_lock):
            # Written repeatedly, because a guardian that is just starting removes an old request.
            request = self._control.read_stop_request()
            if request is not None and "refused" in request:
                return False
            if request is None:
                self._control.write_stop_request({"force": force})
            self._pause(deadline)
        state = self._control.state()
        if state is not None and state.phase == "failed" and self._may_run():
            raise EmbeddedPostgresError(state.message)
        return True

    def ensure_guardian(self) -> None:
        """Starts a guardian unless one is alive; it inherits the lock with the descriptor."""
        lock_fd = locks.try_lock(self._control.guardian_lock, shared=False)
        if lock_fd is None:
            return
        try:
            log_fd = os.open(
                self._control.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                self._start_guardian(lock_fd, log_fd)
            finally:
                os.close(log_fd)
        finally:
            os.close(lock_fd)

    def _start_guardian(self, lock_fd: int, log_fd: int) -> None:
        arguments = ["--home", str(self.home), "--lock-fd", str(lock_fd)]
        arguments += [
            "--idle-seconds",
            str(self._idle_seconds),
            "--settings",
            json.dumps(self._settings),
        ]
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        # The guardian finds modules in the same folders as this process.
        folders = [folder for folder in sys.path if Path(folder).is_absolute()]
        environment["PYTHONPATH"] = os.pathsep.join([*folders, str(PACKAGE_ROOT)])
        started = subprocess.run(
            [sys.executable, "-m", "lightfast_pipelines.embedded_postgres.guardian", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=[lock_fd],
            cwd="/",
            env=environment,
            start_new_session=True,
            check=False,
        )
        if started.returncode != 0:
            raise EmbeddedPostgresError(
                f"The guardian of the embedded Postgres did not start ({sys.executable} ended with "
                f"{started.returncode}). Fix what the end of {self._control.log} names:\n"
                f"{self._control.log_tail()}"
            )

    def was_stopped_on_purpose(self) -> bool:
        state = self._control.state()
        return state is None or state.phase == "stopped"

    def _join(self, deadline: float) -> int:
        while (fd := locks.try_lock(self._control.users, shared=True)) is None:
            # A guardian is just stopping; the server starts again once it is gone.
            self._pause(deadline)
        return fd

    def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The embedded Postgres in {self._control.folder} did not get ready (or stop) "
                "in time; it may still be recovering after a crash. Wait and try again, or read "
                f"{self._control.log}, which ends:\n{self._control.log_tail()}"
            )
        time.sleep(POLL_SECONDS)


class Lease:
    """Keeps the server running until it is released or this process ends in any way."""

    def __init__(self, server: EmbeddedPostgres, users_fd: int, state: State) -> None:
        self._server = server
        self._users_fd: int | None = users_fd
        self._state = state
        self._released = threading.Event()
        threading.Thread(
            target=self._keep_guarded, name="embedded-postgres-lease", daemon=True
        ).start()

    def url(self, database: str = "lightfast", user: str = "lightfast_pipeline") -> str:
        """A libpq URL; it stays valid while any lease is held, even if the server restarts."""
        return _url(self._state, database, user)

    @property
    def home(self) -> Path:
        return self._server.home

    def release(self) -> None:
        """Safe to repeat."""
        self._released.set()
        fd, self._users_fd = self._users_fd, None
        if fd is not None:
            # Closed, not unlocked: a forked child shares the lock and must not release its parent's.
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _keep_guarded(self) -> None:
        """Replaces a guardian that was killed, so that a later crash of Postgres is repaired too."""
        while not self._released.wait(GUARDIAN_CHECK_SECONDS):
            try:
                if self._server.was_stopped_on_purpose():
                    return
                self._server.ensure_guardian()
            except (OSError, EmbeddedPostgresError):
                # The home was removed or is unusable; the next `acquire` reports it.
                return


def _url(state: State, database: str, user: str) -> str:
    host = quote(str(state.socket_dir), safe="")
    path = f"{quote(user, safe='')}@/{quote(database, safe='')}"
    return f"postgresql://{path}?host={host}&port={state.port}"


def _answers(state: State) -> bool:
    from lightfast_pipelines.embedded_postgres.bootstrap import answers

    return state.socket_dir is not None and answers(state.socket_dir, state.port)
