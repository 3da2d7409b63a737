"""Moves the clock of the stack: of `up`, the receiver, Dagster's processes and their runs.

A small library, compiled here and preloaded into these processes, adds to their clock the seconds that a
shared file states, so that it jumps in all of them at once. The database and its guardian do not inherit
it: they keep the true time, like a database on another machine. Monotonic clocks are never moved.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


class MovableClock:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._library = folder / "clock.so"
        self.missing = self._build()
        """Why clocks cannot be moved here; empty if they can."""

    def _build(self) -> str:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if sys.platform != "linux":
            return "clocks can be moved on Linux only"
        if compiler is None:
            return "no C compiler (cc) to build the library that moves clocks"
        options = ["-shared", "-fPIC", "-O1", "-ldl"]
        command = [compiler, "-o", str(self._library), str(_SOURCE), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{compiler}: {done.stderr.strip()}"
        self._file.write_bytes(bytes(8))
        return ""

    def environment(self) -> dict[str, str]:
        if self.missing:
            return {}
        return {"LD_PRELOAD": str(self._library), "LIGHTFAST_TORTURE_CLOCK": str(self._file)}

    def move(self, seconds: int) -> None:
        """The clock is ahead of the true time by this from now on; 0 corrects it."""
        with self._file.open("r+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))
