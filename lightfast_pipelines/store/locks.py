"""Advisory locks: one job of a kind at a time, and linking apart from capture.

They live on a connection: a process that dies lets go of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from psycopg.errors import LockNotAvailable

from lightfast_pipelines.store.database import Connection, short_run_id

_JOBS = 4711
_PRESENCE = 4712
_ROUTING = 4_711_000_002
_CLUSTERS = 4_713
_CREDENTIALS = 4_714


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) - 2**31


@contextmanager
def job_lock(
    conn: Connection, name: str, *, wait: bool, waits: Callable[[str], None] | None = None
) -> Iterator[bool]:
    """Holds the lock of job `name` on this connection; yields whether it was got.

    With `wait` it blocks until the lock is free, so it yields True; `waits` is told first for whom.
    The connection must stay open inside; commits and rollbacks do not let go of it.
    """
    key = (_JOBS, _number(name))
    row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", key).fetchone()
    got = bool(row and row[0])
    if not got and wait:
        if waits is not None:
            waits(f"waits for the lock of {name}, {who_holds(conn, name)}")
        conn.execute("SELECT pg_advisory_lock(%s, %s)", key)
        got = True
    conn.commit()
    try:
        yield got
    finally:
        if got and not conn.closed and not conn.broken:
            conn.rollback()
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", key)
            conn.commit()


def who_holds(conn: Connection, name: str) -> str:
    """`held by ...` for a person: the name and the pid of the session that has the lock of job `name`."""
    row = conn.execute(
        """
        SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
          AND l.classid = %s AND l.objid::bigint = %s
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        (_JOBS, _number(name) & 0xFFFFFFFF),
    ).fetchone()
    return f"held by `{row[1]}` (pid {row[0]} of Postgres)" if row else "which is just let go of"


def let_others_in(conn: Connection, name: str) -> None:
    """Gives the lock of job `name` to whoever waits for it and waits for it again, behind them."""
    key = (_JOBS, _number(name))
    conn.rollback()
    conn.execute("SELECT pg_advisory_unlock(%s, %s)", key)
    conn.execute("SELECT pg_advisory_lock(%s, %s)", key)
    conn.commit()


def job_locks(conn: Connection, names: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """(names some session holds, names some session waits for) in this database right now."""
    return _locks(conn, _JOBS, names)


def _locks(
    conn: Connection, space: int, names: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    numbers = {_number(name) & 0xFFFFFFFF: name for name in names}
    rows = conn.execute(
        """
        SELECT objid::bigint, granted FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2
          AND classid = %s AND objid::bigint = ANY(%s::bigint[])
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        (space, list(numbers)),
    ).fetchall()
    return (
        frozenset(numbers[number] for number, granted in rows if granted),
        frozenset(numbers[number] for number, granted in rows if not granted),
    )


@contextmanager
def presence(conn: Connection, kind: str) -> Iterator[None]:
    """While inside, `present` finds a run of this kind; a process that dies is no longer found."""
    key = (_PRESENCE, _number(kind))
    conn.execute("SELECT pg_advisory_lock_shared(%s, %s)", key)
    conn.commit()
    try:
        yield
    finally:
        if not conn.closed and not conn.broken:
            conn.rollback()
            conn.execute("SELECT pg_advisory_unlock_shared(%s, %s)", key)
            conn.commit()


def present(conn: Connection, kinds: Sequence[str]) -> frozenset[str]:
    """The kinds of runs that are alive in this database right now."""
    return _locks(conn, _PRESENCE, kinds)[0]


def share_routing(conn: Connection) -> None:
    """Until this transaction ends nobody links a resource: what it routes stays as it was read."""
    conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_ROUTING,))


def change_routing(conn: Connection) -> None:
    """Until this transaction ends no batch is captured; waits for the one under way."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_ROUTING,))


def hold_clusters(conn: Connection, workspace_id: int) -> None:
    """Until this transaction ends nobody else writes clusters of this workspace; waits for who does."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, hashint8(%s::bigint))", (_CLUSTERS, workspace_id)
    )


def try_hold_clusters(conn: Connection, workspace_id: int) -> bool:
    """As `hold_clusters`, but without waiting: whether this transaction holds them now."""
    row = conn.execute(
        "SELECT pg_try_advisory_xact_lock(%s, hashint8(%s::bigint))", (_CLUSTERS, workspace_id)
    ).fetchone()
    return bool(row and row[0])


@contextmanager
def credential_lock(
    conn: Connection, installation_id: int, *, wait_seconds: float
) -> Iterator[bool]:
    """One renewal at a time of an installation's credential, however many processes ask.

    On a connection that commits by itself, so that nothing stays open while a provider answers.
    Yields False where others had it for all of `wait_seconds`.
    """
    if not conn.autocommit:
        raise ValueError("a credential's lock needs a connection that commits by itself")
    key = (_CREDENTIALS, installation_id)
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (f"{wait_seconds * 1000:.0f}ms",))
    try:
        conn.execute("SELECT pg_advisory_lock(%s, hashint8(%s::bigint))", key)
        got = True
    except LockNotAvailable:
        got = False
    finally:
        if not conn.closed and not conn.broken:
            conn.execute("SELECT set_config('lock_timeout', '0', false)")
    try:
        yield got
    finally:
        if got and not conn.closed and not conn.broken:
            conn.execute("SELECT pg_advisory_unlock(%s, hashint8(%s::bigint))", key)


def hold_credential(conn: Connection, installation_id: int) -> None:
    """Until this transaction ends nobody renews the installation's credential; waits for who does."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, hashint8(%s::bigint))", (_CREDENTIALS, installation_id)
    )


def end_sessions_of_run(conn: Connection, run_id: str) -> int:
    """Ends what a run of Dagster left at work in Postgres, and lets go of its locks; returns how many."""
    row = conn.execute(
        """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
          AND application_name LIKE %s
        """,
        (f"lightfast % {short_run_id(run_id)}",),
    ).fetchone()
    return row[0] if row else 0
