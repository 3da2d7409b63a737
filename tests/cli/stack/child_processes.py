"""Small Python programs that the tests start as child processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lightfast_pipelines.cli.stack.children import Children, StopRequest

SLEEP = "import time; time.sleep(300)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def start(children: Children, name: str, code: str, folder: Path) -> int:
    child = children.start(name, python(code), environment=dict(os.environ), folder=folder)
    return child.process.pid


def wait_for(path: Path) -> str:
    """The text of the file, once it is complete (it ends with a newline)."""
    children = Children(path.parent)
    children.wait_until(
        str(path),
        lambda: path.exists() and path.read_text().endswith("\n"),
        stop=StopRequest(),
        timeout=20,
    )
    return path.read_text()
