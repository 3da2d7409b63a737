"""What the parts of a running stack do, as `up` notes it in the home for other commands to read."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lightfast_pipelines.cli.root import Failure

_FILE = "stack.json"
_LOCK = "up.lock"


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One stack a home: a second daemon would ask for the same runs."""
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"`lightfast up` or `demo` runs already with LIGHTFAST_HOME={home}; end that first"
            ) from error
        try:
            yield
        finally:
            (home / _FILE).unlink(missing_ok=True)


def note(home: Path, states: Mapping[str, str]) -> None:
    """Keeps what each part does; a file that is read meanwhile is whole."""
    text = json.dumps(states)
    path = home / _FILE
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def noted(home: Path) -> dict[str, str]:
    """What each part of this home's stack does; empty where none runs, however it ended."""
    try:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return {}
    except FileNotFoundError:
        return {}
    except BlockingIOError:
        pass
    try:
        states: dict[str, str] = json.loads((home / _FILE).read_text())
    except FileNotFoundError:  # it is just starting
        return {}
    return states
