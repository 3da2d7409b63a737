"""The guardian: the parent process of Postgres, which restarts it after a crash and stops it when unused.

`server.py` starts it with the guardian lock already held on an inherited descriptor, so there is never
more than one. It reports through the state file and the log.
"""

import argparse
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightfast_pipelines.embedded_postgres import locks
from lightfast_pipelines.embedded_postgres.activity import Activity
from lightfast_pipelines.embedded_postgres.control import ControlFolder, State
from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.settings import PORT, command_line

if TYPE_CHECKING:
    from lightfast_pipelines.embedded_postgres.data_folder import DatabaseFiles
    from lightfast_pipelines.embedded_postgres.postmaster import Postmaster

TICK_SECONDS = 0.25
LOG_LIMIT = 10 * 1024 * 1024
# A server that ran this long did not fail to start: the count of failures starts again.
STEADY_SECONDS = 60.0
# Orphaned backends notice their postmaster's death at once, unless they are computing.
ORPHAN_SIGNALS = {2.0: signal.SIGQUIT, 4.0: signal.SIGKILL}
ORPHANS_GIVEN_UP_SECONDS = 20.0
PAUSES_AFTER_FAILURES = (0.0, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class GuardianStop:
    reason: str
    home_is_gone: bool = False


class Guardian:
    def __init__(
        self, control: ControlFolder, idle_seconds: float, settings: Mapping[str, str]
    ) -> None:
        self._control = control
        self._idle_seconds = idle_seconds
        self._settings = settings
        self._users_fd = os.open(control.users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._log_fd = os.open(
            control.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._terminated = False
        self._wake_fd, wake_write_fd = os.pipe()
        os.set_blocking(wake_write_fd, False)
        signal.set_wakeup_fd(wake_write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the select below

    def run(self) -> None:
        from lightfast_pipelines.embedded_postgres.data_folder import prepare_cluster

        self._control.stop_request.unlink(missing_ok=True)
        self._limit_log()
        self._report("starting")
        cluster = prepare_cluster(self._control, self._settings)
        stop = self._keep_running(cluster)
        if stop.home_is_gone:
            shutil.rmtree(cluster.place, ignore_errors=True)
        else:
            self._report("stopped", message=stop.reason)
        if cluster.socket_dir.parent != cluster.place:
            shutil.rmtree(cluster.socket_dir, ignore_errors=True)

    def fail(self, error: EmbeddedPostgresError) -> None:
        self._log(str(error))
        self._report("failed", message=str(error))

    def _keep_running(self, cluster: "DatabaseFiles") -> GuardianStop:
        failures = 0
        while True:
            postmaster = self._start_or_adopt(cluster)
            started = time.monotonic()
            stop = self._serve(cluster, postmaster)
            if stop is not None:
                self._log(f"stopping Postgres {postmaster.pid}: {stop.reason}")
                if not postmaster.stop():
                    self._log(
                        "the fast shutdown hung, so it was cut short; the next start recovers"
                    )
                return stop
            failures = 0 if time.monotonic() - started > STEADY_SECONDS else failures + 1
            self._log(f"Postgres {postmaster.pid} ended by itself")
            if failures == len(PAUSES_AFTER_FAILURES):
                raise EmbeddedPostgresError(
                    f"Postgres on {cluster.data_dir} ended {failures} times in a row. "
                    f"The end of {self._control.log}:\n{self._control.log_tail()}\n"
                    "Fix what it names (often a full disk) and start again."
                )
            self._report("starting")
            self._wait(PAUSES_AFTER_FAILURES[failures])

    def _start_or_adopt(self, cluster: "DatabaseFiles") -> "Postmaster":
        from lightfast_pipelines.embedded_postgres import postmaster

        began = time.monotonic()
        signals = dict(ORPHAN_SIGNALS)
        while True:
            running = postmaster.find_running(cluster.data_dir)
            if running is not None:
                self._log(f"adopted the running Postgres {running.pid}")
                running.send(signal.SIGHUP)  # it may have started with other access files
                return running
            lock_fd = locks.try_lock(self._control.server_lock, shared=False)
            if lock_fd is not None:
                break
            waited = time.monotonic() - began
            if waited > ORPHANS_GIVEN_UP_SECONDS:
                raise EmbeddedPostgresError(
                    f"Processes of an earlier Postgres still use {cluster.data_dir}, and none of "
                    "them can be seen from here. End them (in another container that shares "
                    f"{self._control.home}, perhaps) and start again."
                )
            for after in [seconds for seconds in signals if waited > seconds]:
                signum = signals.pop(after)
                pids = postmaster.end_orphans(cluster.data_dir, signum)
                self._log(f"sent {signum.name} to {pids}, left over from a dead postmaster")
            self._wait(0.02)
        try:
            if postmaster.remove_stale_files(cluster.data_dir, cluster.socket_dir):
                self._log("removed a stale postmaster.pid: its pid is now another program's")
            options = command_line(cluster.socket_dir, self._settings)
            command: list[str | Path] = [
                cluster.binaries / "bin" / "postgres",
                "-D",
                cluster.data_dir,
                *options,
            ]
            return postmaster.start(command, cluster.account, self._log_fd, lock_fd)
        finally:
            os.close(lock_fd)

    def _serve(self, cluster: "DatabaseFiles", postmaster: "Postmaster") -> GuardianStop | None:
        """Runs until there is a reason to stop; None if Postgres ended first."""
        from lightfast_pipelines.embedded_postgres.bootstrap import answers, bootstrap
        from lightfast_pipelines.embedded_postgres.data_folder import remove_abandoned_places

        while not answers(cluster.socket_dir):
            if not postmaster.alive():
                return None
            if (stop := self._asked_to_stop(None)) is not None:
                return stop
            self._wait(0.01)
        bootstrap(cluster.socket_dir)
        self._report("ready", cluster, postmaster.pid)
        for removed in remove_abandoned_places():
            self._log(f"removed {removed}: its LIGHTFAST_HOME is gone")
        with closing(Activity(cluster.socket_dir)) as activity:
            return self._watch(postmaster, activity)

    def _watch(self, postmaster: "Postmaster", activity: Activity) -> GuardianStop | None:
        idle_since = last_look = time.monotonic()
        while True:
            self._wait(min(TICK_SECONDS, self._idle_seconds / 4))
            if not postmaster.alive():
                return None
            if (stop := self._asked_to_stop(activity)) is not None:
                return stop
            now = time.monotonic()
            if now - last_look < min(1.0, self._idle_seconds / 4):
                continue
            last_look = now
            self._limit_log()
            if self._has_leases() or activity.seen():
                idle_since = now
            elif now - idle_since >= self._idle_seconds and self._close_to_new_users(activity):
                return GuardianStop(f"unused for {self._idle_seconds:.0f} s")

    def _has_leases(self) -> bool:
        if locks.try_lock_fd(self._users_fd, shared=False):
            locks.unlock_fd(self._users_fd)
            return False
        return True

    def _close_to_new_users(self, activity: Activity) -> bool:
        """If true, keeps the lock to the end: a new user waits for it and then starts a new server."""
        if not locks.try_lock_fd(self._users_fd, shared=False):
            return False
        if activity.seen():
            locks.unlock_fd(self._users_fd)
            return False
        return True

    def _asked_to_stop(self, activity: Activity | None) -> GuardianStop | None:
        if self._terminated:
            return GuardianStop("the guardian was asked to terminate")
        if not locks.is_file_of(self._users_fd, self._control.users):
            return GuardianStop(f"{self._control.folder} was removed", home_is_gone=True)
        request = self._control.read_stop_request()
        if request is None or "refused" in request:
            return None
        if request["force"] or activity is None or not activity.clients():
            return GuardianStop("requested")
        self._control.write_stop_request({"refused": True})
        return None

    def _wait(self, seconds: float) -> None:
        """Returns early on a signal, such as the end of Postgres."""
        if select.select([self._wake_fd], [], [], seconds)[0]:
            os.read(self._wake_fd, 4096)

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True

    def _report(
        self,
        phase: str,
        cluster: "DatabaseFiles | None" = None,
        postmaster_pid: int | None = None,
        message: str | None = None,
    ) -> None:
        if not locks.is_file_of(self._users_fd, self._control.users):
            return
        self._control.save_state(
            State(
                phase=phase,
                guardian_pid=os.getpid(),
                postmaster_pid=postmaster_pid,
                socket_dir=str(cluster.socket_dir) if cluster else None,
                port=PORT,
                message=message,
            )
        )

    def _log(self, text: str) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        os.write(self._log_fd, f"{now} UTC [guardian {os.getpid()}] {text}\n".encode())

    def _limit_log(self) -> None:
        """Copies and truncates, because Postgres keeps writing to the same descriptor."""
        if os.fstat(self._log_fd).st_size > LOG_LIMIT:
            shutil.copyfile(self._control.log, self._control.log.with_name("postgres.log.1"))
            os.ftruncate(self._log_fd, 0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lightfast guardian")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    parser.add_argument("--idle-seconds", type=float, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    arguments = parser.parse_args()
    # The starter waits for this parent, and init reaps the guardian, so no zombie is left.
    if os.fork() != 0:
        os._exit(0)
    os.set_inheritable(arguments.lock_fd, False)
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    guardian = Guardian(ControlFolder(arguments.home), arguments.idle_seconds, arguments.settings)
    try:
        guardian.run()
    except EmbeddedPostgresError as error:
        guardian.fail(error)
        sys.exit(1)
    except Exception as error:
        guardian.fail(
            EmbeddedPostgresError(f"The guardian of the embedded Postgres failed: {error!r}")
        )
        raise


if __name__ == "__main__":
    main()
