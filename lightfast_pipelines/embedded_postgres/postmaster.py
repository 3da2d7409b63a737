"""Finds, starts and signals the server process.

Everything that handles a pid is here. A pid from a file gets no signal before its process is known to
run the server's program on this data folder.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from lightfast_pipelines.embedded_postgres.account import ServerAccount

FAST_STOP_SECONDS = 60.0


class Postmaster:
    """A verified postmaster: this process's child, or adopted from a guardian that died."""

    def __init__(
        self, process: psutil.Process, child: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._child = child

    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return _lives(self._process)

    def send(self, signum: int) -> None:
        """psutil compares start times first, so a reused pid gets no signal."""
        try:
            self._process.send_signal(signum)
        except psutil.NoSuchProcess:
            return

    def stop(self) -> bool:
        """Shuts down fast, or immediately if that hangs. True if the fast shutdown was enough."""
        for signum, patience in (
            (signal.SIGINT, FAST_STOP_SECONDS),
            (signal.SIGQUIT, 10.0),
            (signal.SIGKILL, 10.0),
        ):
            self.send(signum)
            if _until(lambda: not self.alive(), patience):
                return signum == signal.SIGINT
        return False


def start(
    command: Sequence[str | Path], account: ServerAccount | None, log_fd: int, lock_fd: int
) -> Postmaster:
    """The postmaster and every backend inherit the lock, which is free once all of them are dead."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log_fd,
        stderr=log_fd,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        pass_fds=[lock_fd],
        cwd="/",
        start_new_session=True,
    )
    return Postmaster(psutil.Process(child.pid), child)


def find_running(data_dir: Path) -> Postmaster | None:
    """The live postmaster of this data folder, if postmaster.pid names one."""
    pid = _pid_in_file(data_dir)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        ours = _lives(process) and _is_postmaster_of(process, data_dir)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return Postmaster(process) if ours else None


def end_orphans(data_dir: Path, signum: signal.Signals) -> list[int]:
    """Signals the processes that a dead postmaster left at work; returns their pids."""
    orphans = processes_in(data_dir)
    for process in orphans:
        Postmaster(process).send(signum)
    return [process.pid for process in orphans]


def remove_stale_files(data_dir: Path, socket_dir: Path) -> bool:
    """Call only with the server lock held, which proves that no process of an old server lives.

    Postgres refuses to start while any process, even a zombie or an unrelated one, has the pid in these
    files.
    """
    pid = _pid_in_file(data_dir)
    for remains in socket_dir.glob(".s.PGSQL.*"):
        remains.unlink(missing_ok=True)
    if pid is None or not psutil.pid_exists(pid):
        return False
    (data_dir / "postmaster.pid").unlink(missing_ok=True)
    return True


def processes_in(data_dir: Path) -> list[psutil.Process]:
    """Every live Postgres process that works in the data folder, postmaster or not."""
    return [process for process in psutil.process_iter() if _works_in(process, data_dir)]


def _works_in(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return (
            process.name() == "postgres"
            and _lives(process)
            and _same_folder(process.cwd(), data_dir)
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _is_postmaster_of(process: psutil.Process, data_dir: Path) -> bool:
    """By program, folder and arguments; backends share the program and folder, not the arguments."""
    if not _works_in(process, data_dir):
        return False
    arguments = process.cmdline()
    return "-D" in arguments and _same_folder(arguments[arguments.index("-D") + 1], data_dir)


def _same_folder(folder: str, other: Path) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _pid_in_file(data_dir: Path) -> int | None:
    try:
        first = (data_dir / "postmaster.pid").read_text().split("\n", 1)[0]
    except FileNotFoundError:
        return None
    return int(first) if first.strip().isdigit() else None


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
