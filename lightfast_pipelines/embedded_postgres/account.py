"""The user that Postgres runs as when this process is root: Postgres refuses to run as root.

Belongs here: making that user and asking what it can reach. Does not: changing modes of folders that
are not ours; that happens nowhere.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError

# Its own: whoever runs a program as a user can read and trace all that runs as the same user, and
# `nobody` runs much else.
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
    """None: run as who we are. As root, the server's own user, which is made where it is missing."""
    if os.geteuid() != 0:
        return None
    account = _find(name)
    if account is None:
        trouble = _create(name)
        account = _find(name)
    if account is not None and account.uid != 0:
        return account
    what = "that user is root itself" if account else f"it could not be made ({trouble})"
    raise EmbeddedPostgresError(
        f"Postgres cannot run as root, and runs as user {name} of this machine instead; {what}. "
        f"Make it (`useradd --system --user-group {name}`), run as an ordinary user, or set "
        "LIGHTFAST_DATABASE_URL to another server."
    )


def owner_of(folder: Path) -> ServerAccount:
    """Whoever the folder belongs to; a user without a name is known by the number."""
    found = folder.stat()
    try:
        name = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        name = str(found.st_uid)
    return ServerAccount(name, found.st_uid, found.st_gid)


def _find(name: str) -> ServerAccount | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return ServerAccount(name, found.pw_uid, found.pw_gid)


def _create(name: str) -> str:
    """Makes the user; returns why it could not, or nothing. Another process may make it meanwhile."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    for program, arguments in (("useradd", _USERADD), ("adduser", _ADDUSER)):
        found = shutil.which(program, path=folders)
        if found is not None:
            made = subprocess.run(
                [found, *arguments, name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                umask=0o022,
                check=False,
            )
            said = made.stdout.decode(errors="replace").strip().splitlines()
            return said[0] if said else f"{program} ended with {made.returncode}"
    return "no useradd and no adduser on this machine"


def can_walk_to(folder: Path, account: ServerAccount) -> bool:
    """Whether the account may pass through the folder and all its parents, by their modes."""
    real = folder.resolve()
    return all(_may_enter(part.stat(), account) for part in (real, *real.parents))


def _may_enter(found: os.stat_result, account: ServerAccount) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
