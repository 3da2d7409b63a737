"""A small disk of its own for the home, which can be filled and emptied again.

It is a tmpfs, which only root may mount. Without it the home is a plain folder, and the disk is not filled.
"""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

_MEGABYTES = 768
_PIECE = 1 << 20


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        # The database's own user has to pass through.
        folder.mkdir(mode=0o711)
        mount = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={_MEGABYTES}m,mode=0711",
            "tmpfs",
            str(folder),
        ]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, check=False)
            self.missing = done.stderr.strip() if done.returncode else ""
        except FileNotFoundError as error:
            self.missing = str(error)
        """Why it is no disk of its own; empty if it is one."""

    def fill(self) -> int:
        """Takes every byte that is free; returns how many there were."""
        with self._filler.open("ab") as file:
            for piece in (_PIECE, 4096):
                while True:
                    try:
                        os.posix_fallocate(file.fileno(), file.tell(), piece)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        break
                    file.seek(piece, os.SEEK_CUR)
            return file.tell()

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        if not self.missing:
            subprocess.run(["umount", "--lazy", self.folder], check=False)
