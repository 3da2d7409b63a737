"""Locks between processes: flock on a file, which the kernel releases however the holder dies."""

import fcntl
import os
from pathlib import Path


def try_lock(path: Path, *, shared: bool) -> int | None:
    """Returns the descriptor that holds the lock, or None if another process holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if try_lock_fd(fd, shared=shared) and is_file_of(fd, path):
        return fd
    os.close(fd)
    return None


def try_lock_fd(fd: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock_fd(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_UN)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock exclusively; creates nothing."""
    if not path.exists():
        return False
    fd = try_lock(path, shared=True)
    if fd is None:
        return True
    os.close(fd)
    return False


def is_file_of(fd: int, path: Path) -> bool:
    """False once the folder was removed or recreated: a lock on the old file then has no effect."""
    try:
        current = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(fd)
    return (held.st_dev, held.st_ino) == (current.st_dev, current.st_ino)


def shared_holders(path: Path) -> int:
    """The number of shared locks; 1 stands for any number where the kernel does not list them (macOS)."""
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return 0
    try:
        table = Path("/proc/locks").read_text()
    except OSError:
        fd = try_lock(path, shared=False)
        if fd is None:
            return 1
        os.close(fd)
        return 0
    rows = (line.split() for line in table.splitlines())
    return sum(
        1
        for row in rows
        if row[1] == "FLOCK" and row[3] == "READ" and row[5].rsplit(":", 1)[1] == str(inode)
    )
