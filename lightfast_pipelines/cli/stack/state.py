"""The state of each process of `up`, which it writes into the home for other commands to read."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightfast_pipelines.cli.root import Failure

_FILE = "stack.json"
_LOCK = "up.lock"


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Allows one stack for each home: a second daemon would request the same runs."""
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"`lightfast up` or `demo` runs already with LIGHTFAST_HOME={home}; stop it first"
            ) from error
        try:
            yield
        finally:
            (home / _FILE).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class StackState:
    """The state of each process, and how often and when processes died; empty if no stack runs."""

    states: dict[str, str] = field(default_factory=dict)
    deaths: dict[str, str] = field(default_factory=dict)


def write_state(home: Path, states: Mapping[str, str], deaths: Mapping[str, str]) -> None:
    """Replaces the file atomically, so that a reader never sees half of it."""
    text = json.dumps({"states": {**states}, "deaths": {**deaths}})
    path = home / _FILE
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def read_state(home: Path) -> StackState:
    """The state of this home's stack; empty if none runs, however it ended."""
    try:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return StackState()
    except FileNotFoundError:
        return StackState()
    except BlockingIOError:
        pass
    try:
        written: dict[str, dict[str, str]] = json.loads((home / _FILE).read_text())
    except FileNotFoundError:  # it is just starting
        return StackState()
    return StackState(**written)
