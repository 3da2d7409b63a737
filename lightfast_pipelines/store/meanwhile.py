"""Lets Python work while a connection waits for Postgres, so that two processors are busy at once.

In one thread: Python hears alarms only in the main thread, and a second one that computes would keep the first
from the interpreter for milliseconds after each statement.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready, Wait

Work = Callable[[], bool]
"""Does a small piece of work, about a millisecond; returns whether there is more. It must not use the
connection."""


class WorkingConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that does work while it waits, within `work_on`."""

    _work: Work | None = None

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:
        """Waits for Postgres like any connection, and works until it has answered."""
        if self._work is not None:
            # psycopg calls it as it would the generator.
            gen = cast(PQGen[RV], _Working(gen, self))
        return super().wait(gen, *arguments, **options)

    @contextmanager
    def working_on(self, work: Work) -> Iterator[None]:
        self._work = work
        try:
            yield
        finally:
            self._work = None

    def work(self) -> bool:
        """Does a piece of work, if any is left; what it raises ends the work, and nothing else."""
        if self._work is None:
            return False
        work, self._work = self._work, None
        if work():
            self._work = work
            return True
        return False


@contextmanager
def meanwhile(conn: psycopg.Connection[tuple[Any, ...]], work: Work) -> Iterator[None]:
    """Within the block, does `work` whenever the connection waits, if it is one that can."""
    if isinstance(conn, WorkingConnection):
        with conn.working_on(work):
            yield
    else:
        yield


class _Working:
    """The generator by which psycopg talks to Postgres; it works before it would wait.

    It can be resumed after the work raised something: psycopg then cancels the statement.
    """

    def __init__(self, generator: PQGen[Any], conn: WorkingConnection) -> None:
        self._generator = generator
        self._conn = conn
        self._wanted: Wait | None = None

    def __next__(self) -> Wait:
        if self._wanted is None:
            self._wanted = next(self._generator)
        return self._until_ready()

    def send(self, ready: Ready | None) -> Wait:
        self._wanted = self._generator.send(ready)  # type: ignore[arg-type]
        return self._until_ready()

    def _until_ready(self) -> Wait:
        """Works until the socket is ready or no work is left; psycopg then waits, or goes on at once."""
        assert self._wanted is not None
        while not _is_ready(self._conn.fileno(), self._wanted) and self._conn.work():
            pass
        return self._wanted


if sys.platform == "win32":

    def _is_ready(fileno: int, wanted: Wait) -> bool:
        readers = [fileno] if wanted & Wait.R else []
        writers = [fileno] if wanted & Wait.W else []
        return any(select.select(readers, writers, [], 0))

else:

    def _is_ready(fileno: int, wanted: Wait) -> bool:
        # Unlike select(), poll() takes any number of a file.
        poll = select.poll()
        events = (select.POLLIN if wanted & Wait.R else 0) | (
            select.POLLOUT if wanted & Wait.W else 0
        )
        poll.register(fileno, events)
        return bool(poll.poll(0))
