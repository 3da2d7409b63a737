"""The connection through which an analyst reads: a database with the analyst's role, read-only.

What is asked, and what becomes of the answer, does not belong here.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lightfast_pipelines.read.errors import ReadError

if TYPE_CHECKING:
    from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
    from lightfast_pipelines.read.catalogue import Catalogue
    from lightfast_pipelines.store.database import Connection, Database


class AnalystConnection:
    """Reads the memory; `close` it or use it as a context manager. Threads may share it.

    Each question that is being answered has a session of its own, and a session serves the next question
    afterwards. A forked process that inherits the object opens sessions of its own. While it lives, it keeps
    the embedded server running.
    """

    def __init__(self, database: Database) -> None:
        """It closes `database` in the end, also if nobody closes it."""
        self._database = database
        self._sessions = _Sessions(database)
        self._catalogue: Catalogue | None = None
        # Also called when the process ends.
        self._finalizer = weakref.finalize(self, self._sessions.close)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A session for one question; what it set is undone afterwards."""
        with self._sessions.one() as conn:
            yield conn

    def catalogue(self, *, again: bool = False) -> Catalogue:
        """The tables and views that the analyst may read. Read once, or `again`."""
        if self._catalogue is None or again:
            from lightfast_pipelines.read.catalogue import read_catalogue

            with self.session() as conn:
                self._catalogue = read_catalogue(conn)
        return self._catalogue

    def close(self) -> None:
        """Ends its sessions and no longer keeps the server running. Safe to repeat."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._finalizer.alive else ", closed"
        return f"<{type(self).__name__}: {self._database.describe()}{closed}>"


class _Sessions:
    """The sessions of a database: those that are free, and those that answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._free: list[Connection] = []
        self._all: set[Connection] = set()

    def _forget_those_of_parent(self) -> None:
        """After a fork, as in a multiprocessing pool: the parent goes on using the same sockets.

        psycopg does not end the sessions that are forgotten here.
        """
        if self._process != os.getpid():
            self._begin()

    @contextmanager
    def one(self) -> Iterator[Connection]:
        conn = self._take()
        try:
            yield conn
        finally:
            self._give_back(conn)

    def close(self) -> None:
        self._forget_those_of_parent()
        with self._lock:
            self._closed = True
            sessions, self._all, self._free = self._all, set(), []
        for conn in sessions:
            conn.close()
        self._database.close()

    def _take(self) -> Connection:
        self._forget_those_of_parent()
        while True:
            with self._lock:
                if self._closed:
                    raise ReadError("this connection is closed: open another with lf.connect()")
                free = self._free.pop() if self._free else None
            if free is None:
                return self._open()
            if _answers(free):
                return free
            self._drop(free)

    def _open(self) -> Connection:
        from lightfast_pipelines.read.column_types import prepare_session

        conn = self._database.connect("analyst", application_name="lightfast-read")
        try:
            # The role cannot write; this also refuses what a function of an extension might.
            conn.read_only = True
            prepare_session(conn)
        except BaseException:
            conn.close()
            raise
        with self._lock:
            self._all.add(conn)
        return conn

    def _give_back(self, conn: Connection) -> None:
        if not conn.closed:
            conn.rollback()
        with self._lock:
            if not (self._closed or conn.closed):
                self._free.append(conn)
                return
        self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        with self._lock:
            self._all.discard(conn)
        conn.close()


def _answers(conn: Connection) -> bool:
    """Whether the session still lives: a notebook is open for days, and servers restart."""
    import psycopg

    try:
        conn.execute("SELECT 1")
        conn.rollback()
    except psycopg.OperationalError:
        return False
    return True


def connect(address: str | None = None, home: str | Path | None = None) -> AnalystConnection:
    """A connection with the analyst's role to the configured database, or to the one at this place.

    `address`: a libpq URL with the analyst's login, as `lightfast db url --role analyst` prints it.
    `home`: the folder of an embedded database, whose server is started if it does not run.
    Neither: as the settings say (LIGHTFAST_ANALYST_DATABASE_URL, LIGHTFAST_DATABASE_URL, LIGHTFAST_HOME).
    """
    from lightfast_pipelines.store.database import Database, open_database
    from lightfast_pipelines.store.migrate import check_revision

    if address is not None and home is not None:
        raise ReadError("give address (a server of your own) or home (an embedded one), not both")
    if address is not None:
        database = Database(own={"analyst": _checked(address)})
    elif home is not None:
        database = Database(lease=_existing(Path(home)).acquire())
    else:
        from lightfast_pipelines.settings import settings

        # Read again: a notebook may have set a variable since.
        settings.cache_clear()
        if settings().is_embedded:
            _existing(settings().home)
        database = open_database(settings(), migrate=False)
    try:
        # As every command, for an embedded database; the owner of another one decides when.
        if database.is_embedded:
            database.migrate()
        else:
            check_revision(database.url("analyst"))
    except BaseException:
        database.close()
        raise
    return AnalystConnection(database)


def _checked(address: str) -> str:
    """The address, if libpq can read it: its own messages quote what it cannot, such as a password."""
    from pydantic import SecretStr

    from lightfast_pipelines.settings.addresses import postgres_address

    try:
        checked = postgres_address(SecretStr(address))
    except ValueError as error:
        message = f"address must be {error}"
    else:
        assert checked is not None
        return checked.get_secret_value()
    raise ReadError(message)


def _existing(home: Path) -> EmbeddedPostgres:
    from lightfast_pipelines.embedded_postgres import EmbeddedPostgres

    server = EmbeddedPostgres(home)
    if not server.exists():
        raise ReadError(
            f"there is no database in {server.home}: set LIGHTFAST_HOME or home= to the folder that has "
            "one (`make demo` or `lightfast workspace add NAME` makes one)"
        )
    return server


_default: AnalystConnection | None = None
_default_lock = threading.Lock()


def default_connection() -> AnalystConnection:
    """The connection of functions that are called without one; opened once, closed with the process."""
    global _default  # noqa: PLW0603 - the process's one connection, as `settings` are its settings
    with _default_lock:
        if _default is None:
            _default = connect()
        return _default
