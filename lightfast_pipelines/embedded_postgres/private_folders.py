"""Folders that no other user of the machine can look into, whatever the umask is.

What a folder holds, and where it lies, its owner knows.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

_MODE_OF_PARENTS = 0o755


def make_private(folder: Path, mode: int = 0o700) -> None:
    """Makes the folder with this mode; takes from one that is there what the mode does not give.

    As root, a folder through which the database's own user has to pass has the mode 0711.
    """
    for parent in reversed(folder.parents):
        if not parent.exists():
            _make(parent, _MODE_OF_PARENTS)
    if not folder.exists():
        _make(folder, mode)
    found = stat.S_IMODE(folder.stat().st_mode)
    if found & ~mode & 0o077:
        folder.chmod(found & (0o7700 | mode))


def make_home(folder: Path) -> None:
    """Makes the home, or closes one that is there to other users.

    Left as it is: a folder of somebody else's, one that is everybody's (`/tmp`), and the user's own
    folder, in all of which others may have to find something. What lies in the home is closed anyway.
    """
    if folder.exists():
        found = folder.stat()
        shared = found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX
        if shared or folder.resolve() in {Path("/"), _folder_of_the_user()}:
            return
    make_private(folder, 0o711 if os.geteuid() == 0 else 0o700)


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(mode=mode, exist_ok=True)
    # The umask may have taken what the mode gives, and never adds anything.
    folder.chmod(mode)


def _folder_of_the_user() -> Path | None:
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()
    except KeyError:
        return None
