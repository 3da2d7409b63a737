"""Advisory locks: one job of each kind at a time, and nobody else writes while a batch is captured.

A lock belongs to a connection, so a process that dies releases its locks. `docs/how-it-works.md` states the
order in which all locks are taken.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from psycopg.errors import LockNotAvailable

from lightfast_pipelines.store.database import Connection, short_run_id

_JOBS = 4711
_PRESENCE = 4712
_CAPTURE = 4_711_000_002
_CLUSTERS = 4_713
_CREDENTIALS = 4_714
_BUDGETS = 4_715

WORKER_CAPTURES = "worker"
"""The presence that `lightfast worker` shows while it captures what arrives."""
WORKER_SETTLES = "worker embeds and clusters"
"""The presence that it shows besides while it gives observations their vectors and clusters."""


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) - 2**31


@contextmanager
def job_lock(
    conn: Connection, name: str, *, wait: bool, waits: Callable[[str], None] | None = None
) -> Iterator[bool]:
    """Takes the lock of job `name` on this connection and yields whether it got it.

    With `wait` it blocks until it has the lock, and before that calls `waits` with a message that names
    the holder. Keep the connection open inside; commits and rollbacks do not release the lock.
    """
    key = (_JOBS, _number(name))
    row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", key).fetchone()
    acquired = bool(row and row[0])
    if not acquired and wait:
        if waits is not None:
            waits(f"waits for the lock of {name}, {who_holds(conn, name)}")
        conn.execute("SELECT pg_advisory_lock(%s, %s)", key)
        acquired = True
    conn.commit()
    try:
        yield acquired
    finally:
        if acquired and not conn.closed and not conn.broken:
            conn.rollback()
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", key)
            conn.commit()


def who_holds(conn: Connection, name: str) -> str:
    """`held by ...`, for a person: name and pid of the session that holds the lock of job `name`."""
    row = conn.execute(
        """
        SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
          AND l.classid = %s AND l.objid::bigint = %s
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        (_JOBS, _number(name) & 0xFFFFFFFF),
    ).fetchone()
    return f"held by `{row[1]}` (pid {row[0]} of Postgres)" if row else "which was just released"


def let_others_in(conn: Connection, name: str) -> None:
    """Releases the lock of job `name` to the sessions that wait for it, then takes it again after them."""
    key = (_JOBS, _number(name))
    conn.rollback()
    conn.execute("SELECT pg_advisory_unlock(%s, %s)", key)
    conn.execute("SELECT pg_advisory_lock(%s, %s)", key)
    conn.commit()


def is_awaited(conn: Connection, name: str) -> bool:
    """Whether some session waits for the lock of job `name`."""
    awaited = bool(job_locks(conn, [name])[1])
    conn.rollback()
    return awaited


def job_locks(conn: Connection, names: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """(names that some session holds, names that some session waits for) in this database now."""
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
    """Makes `present` find a run of this kind for as long as the block runs and its process lives."""
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
    """The kinds of runs that are at work in this database now."""
    return _locks(conn, _PRESENCE, kinds)[0]


def hold_capture(conn: Connection) -> None:
    """Keeps everybody from capturing a batch until this transaction ends; waits for the one under way.

    A batch takes it too, so two captures give the same rows as one: what a payload means depends on others
    that state the same facts, name the same entities or had the same body before. So does whoever links
    resources or puts deliveries back into the queue.
    """
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_CAPTURE,))


def hold_budget(conn: Connection, provider: str) -> None:
    """Keeps others from reserving tokens of this provider until this transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_BUDGETS, _number(provider)))


def hold_clusters(conn: Connection, workspace_id: int) -> None:
    """Keeps others from writing this workspace's clusters until this transaction ends; waits for them."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, hashint8(%s::bigint))", (_CLUSTERS, workspace_id)
    )


def try_hold_clusters(conn: Connection, workspace_id: int) -> bool:
    """Like `hold_clusters`, but without waiting; returns whether it got the lock."""
    row = conn.execute(
        "SELECT pg_try_advisory_xact_lock(%s, hashint8(%s::bigint))", (_CLUSTERS, workspace_id)
    ).fetchone()
    return bool(row and row[0])


@contextmanager
def credential_lock(
    conn: Connection, installation_id: int, *, wait_seconds: float
) -> Iterator[bool]:
    """Lets one process at a time renew an installation's credential.

    Needs an autocommit connection, so that no transaction stays open while a provider answers. Yields
    False if others held the lock for all of `wait_seconds`.
    """
    if not conn.autocommit:
        raise ValueError("a credential's lock needs an autocommit connection")
    key = (_CREDENTIALS, installation_id)
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (f"{wait_seconds * 1000:.0f}ms",))
    try:
        conn.execute("SELECT pg_advisory_lock(%s, hashint8(%s::bigint))", key)
        acquired = True
    except LockNotAvailable:
        acquired = False
    finally:
        if not conn.closed and not conn.broken:
            conn.execute("SELECT set_config('lock_timeout', '0', false)")
    try:
        yield acquired
    finally:
        if acquired and not conn.closed and not conn.broken:
            conn.execute("SELECT pg_advisory_unlock(%s, hashint8(%s::bigint))", key)


def hold_credential(conn: Connection, installation_id: int) -> None:
    """Keeps others from renewing the installation's credential until this transaction ends; waits for them."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, hashint8(%s::bigint))", (_CREDENTIALS, installation_id)
    )


def end_sessions_of_run(conn: Connection, run_id: str) -> int:
    """Ends the sessions that a Dagster run left in Postgres, and so its locks; returns their number."""
    row = conn.execute(
        """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
          AND application_name LIKE %s
        """,
        (f"lightfast % {short_run_id(run_id)}",),
    ).fetchone()
    return row[0] if row else 0
