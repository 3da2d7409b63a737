"""The user that Postgres runs as when this process is root: Postgres refuses to run as root.

Belongs here: choosing that user and asking what it can reach. Does not: creating users or changing
modes of folders that are not ours; neither happens anywhere.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from lightfast_pipelines.store.embedded.errors import EmbeddedPostgresError

# An administrator may create the first, to keep the server apart from what else runs as nobody.
CANDIDATES = ("lightfast-postgres", "nobody")


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int


def server_account(data_dir: Path | None) -> Account | None:
    """None: run as who we are. An existing data folder keeps the user it was made by."""
    if os.geteuid() != 0:
        return None
    if data_dir is not None and data_dir.exists():
        owner = data_dir.stat()
        try:
            return Account(pwd.getpwuid(owner.st_uid).pw_name, owner.st_uid, owner.st_gid)
        except KeyError:
            return Account(str(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid != 0:
            return Account(name, found.pw_uid, found.pw_gid)
    raise EmbeddedPostgresError(
        "Postgres cannot run as root, and this machine has none of the users "
        f"{', '.join(CANDIDATES)}. "
        "Create one (`useradd --system lightfast-postgres`), run as an ordinary user, "
        "or set LIGHTFAST_DATABASE_URL to another server."
    )


def can_walk_to(folder: Path, account: Account) -> bool:
    """Whether the account may pass through the folder and all its parents, by their modes."""
    real = folder.resolve()
    return all(_may_enter(part.stat(), account) for part in (real, *real.parents))


def _may_enter(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
