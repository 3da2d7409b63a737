"""The user that Postgres runs as if this process is root, because Postgres refuses to run as root.

Creates that user and finds out which folders it can reach. Nothing changes the modes of folders that
belong to others.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError

# A dedicated user: a program can read and trace other programs of the same user, and `nobody` runs many.
NAME = "lightfast-postgres"

_USERADD = (
    *("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
    *(
        "--shell",
        "/usr/sbin/nologin",
        "--comment",
        "Embedded Postgres of Lightfast Pipelines",
        NAME,
    ),
)
# BusyBox's (Alpine): no useradd there.
_ADDUSER = ("-S", "-D", "-H", "-h", "/nonexistent", "-s", "/sbin/nologin")


@dataclass(frozen=True)
class ServerAccount:
    name: str
    uid: int
    gid: int


def server_account(name: str = NAME) -> ServerAccount | None:
    """None: run as the current user. As root: the server's own user, which is created if missing."""
    if os.geteuid() != 0:
        return None
    account = _find(name)
    if account is None:
        problem = _create(name)
        account = _find(name)
    if account is not None and account.uid != 0:
        return account
    what = "that user is root itself" if account else f"it could not be made ({problem})"
    raise EmbeddedPostgresError(
        f"Postgres cannot run as root, and runs as user {name} of this machine instead; {what}. "
        f"Make it (`useradd --system --user-group {name}`), run as an ordinary user, or set "
        "LIGHTFAST_DATABASE_URL to another server."
    )


def owner_of(folder: Path) -> ServerAccount:
    """The folder's owner; a user without a name goes by the number."""
    status = folder.stat()
    try:
        name = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        name = str(status.st_uid)
    return ServerAccount(name, status.st_uid, status.st_gid)


def _find(name: str) -> ServerAccount | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return ServerAccount(name, entry.pw_uid, entry.pw_gid)


def _create(name: str) -> str:
    """Creates the user; returns the message of a failure. Another process may create it meanwhile."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    for program, arguments in (("useradd", _USERADD), ("adduser", _ADDUSER)):
        path = shutil.which(program, path=folders)
        if path is not None:
            created = subprocess.run(
                [path, *arguments, name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                umask=0o022,
                check=False,
            )
            output = created.stdout.decode(errors="replace").strip().splitlines()
            return output[0] if output else f"{program} ended with {created.returncode}"
    return "no useradd and no adduser on this machine"


def can_walk_to(folder: Path, account: ServerAccount) -> bool:
    """Whether the account may pass through the folder and all its parents, by their modes."""
    real = folder.resolve()
    return all(_may_enter(part.stat(), account) for part in (real, *real.parents))


def _may_enter(status: os.stat_result, account: ServerAccount) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
