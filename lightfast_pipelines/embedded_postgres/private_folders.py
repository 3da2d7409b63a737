"""Creates folders that no other user of the machine can look into, whatever the umask is."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

_MODE_OF_PARENTS = 0o755


def make_private(folder: Path, mode: int = 0o700) -> None:
    """Creates the folder with this mode, or removes further permissions from an existing folder.

    As root, use 0711 for a folder through which the database's own user has to pass.
    """
    for parent in reversed(folder.parents):
        if not parent.exists():
            _make(parent, _MODE_OF_PARENTS)
    if not folder.exists():
        _make(folder, mode)
    current = stat.S_IMODE(folder.stat().st_mode)
    if current & ~mode & 0o077:
        folder.chmod(current & (0o7700 | mode))


def make_home(folder: Path) -> None:
    """Creates the home, or closes an existing one to other users.

    Another user's folder, a shared one (`/tmp`) and the user's home folder stay as they are, because
    others may need access to them. The folders inside are closed anyway.
    """
    if folder.exists():
        status = folder.stat()
        shared = status.st_uid != os.geteuid() or status.st_mode & stat.S_ISVTX
        if shared or folder.resolve() in {Path("/"), _folder_of_the_user()}:
            return
    make_private(folder, 0o711 if os.geteuid() == 0 else 0o700)


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(mode=mode, exist_ok=True)
    # The umask may have removed permissions from the mode.
    folder.chmod(mode)


def _folder_of_the_user() -> Path | None:
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()
    except KeyError:
        return None
