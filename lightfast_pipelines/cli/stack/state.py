"""What the parts of a running stack do, as `up` notes it in the home for other commands to read."""

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


@dataclass(frozen=True, slots=True)
class Noted:
    """What each part does, and of those that died how often and when; empty where no stack runs."""

    states: dict[str, str] = field(default_factory=dict)
    deaths: dict[str, str] = field(default_factory=dict)


def note(home: Path, states: Mapping[str, str], deaths: Mapping[str, str]) -> None:
    """Keeps what each part does; a file that is read meanwhile is whole."""
    text = json.dumps({"states": {**states}, "deaths": {**deaths}})
    path = home / _FILE
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def noted(home: Path) -> Noted:
    """What each part of this home's stack does; nothing where none runs, however it ended."""
    try:
        with (home / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return Noted()
    except FileNotFoundError:
        return Noted()
    except BlockingIOError:
        pass
    try:
        found: dict[str, dict[str, str]] = json.loads((home / _FILE).read_text())
    except FileNotFoundError:  # it is just starting
        return Noted()
    return Noted(**found)
