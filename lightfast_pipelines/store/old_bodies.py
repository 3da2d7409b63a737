"""Retention of bodies: compresses or deletes those of months that are over, where a setting says so.

A body is settled once it has outcomes of which none is parked or a dead letter, and does not wait. Any other
body stays as it is, as it will be read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from lightfast_pipelines.store.database import Connection

# Who reads or writes the month for longer has it for this night.
PATIENCE = "5s"
_NAME = "raw_bodies_%Y_%m"
_IS_SETTLED = sql.SQL("""
    EXISTS (SELECT FROM lightfast.outcomes o WHERE o.raw_payload_id = b.raw_payload_id)
    AND NOT EXISTS (SELECT FROM lightfast.outcomes o WHERE o.raw_payload_id = b.raw_payload_id
                    AND o.status IN ('parked', 'dlq'))
    AND NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = b.raw_payload_id)
""")


_UNSETTLED: sql.Composable = sql.SQL("NOT ({})").format(_IS_SETTLED)
_ALL: sql.Composable = sql.SQL("true")


@dataclass(frozen=True, slots=True)
class Retained:
    """The months whose bodies were deleted or compressed, as 2024-05."""

    deleted: tuple[str, ...] = ()
    compressed: tuple[str, ...] = ()


def retain_bodies(
    owner: Connection,
    today: date,
    *,
    keep_days: int | None,
    compress_days: int | None,
    at_most: int,
) -> Retained:
    """Goes through the months that ended so many days ago, the oldest first; rewrites at most `at_most`.

    Takes the owner's connection in autocommit mode. A month that is in use is left to the next night.
    """
    deleted: list[str] = []
    compressed: list[str] = []
    for month in _months(owner):
        days = (today - _next(month)).days
        if len(deleted) + len(compressed) >= at_most:
            break
        if keep_days is not None and days >= keep_days and _has_settled(owner, month):
            done, kept = deleted, _UNSETTLED
        elif compress_days is not None and days >= compress_days and _is_plain(owner, month):
            done, kept = compressed, _ALL
        else:
            continue
        if _rewrite(owner, month, kept):
            done.append(f"{month:%Y-%m}")
    return Retained(tuple(deleted), tuple(compressed))


def _months(conn: Connection) -> list[date]:
    rows = conn.execute(
        """
        SELECT to_date(right(c.relname, 7), 'YYYY_MM') FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'lightfast.raw_bodies'::regclass
          AND c.relname ~ '^raw_bodies_[0-9]{4}_[0-9]{2}$'
        ORDER BY 1
        """
    )
    return [row[0] for row in rows]


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _partition(month: date) -> sql.Identifier:
    return sql.Identifier("lightfast", month.strftime(_NAME))


def _has_settled(conn: Connection, month: date) -> bool:
    query = sql.SQL("SELECT 1 FROM {} b WHERE {} LIMIT 1").format(_partition(month), _IS_SETTLED)
    return conn.execute(query).fetchone() is not None


def _is_plain(conn: Connection, month: date) -> bool:
    """Whether its bodies are stored uncompressed, as they arrive."""
    row = conn.execute(
        """
        SELECT a.attstorage = 'e' FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = %s::regclass AND a.attname = 'body'
        """,
        (f"lightfast.{month.strftime(_NAME)}",),
    ).fetchone()
    return bool(row and row[0])


def _rewrite(owner: Connection, month: date, kept: sql.Composable) -> bool:
    """Writes the kept bodies of the month again, compressed; whether it got the partition for itself.

    A query for a body by its delivery locks every partition, so all of capture waits for an exclusive lock.
    Compressing takes minutes and keeps out only those who write to the month. What is settled may change
    while others read, so that is decided under the exclusive lock.
    """
    table = _partition(month)
    mode = sql.SQL("SHARE" if kept is _ALL else "ACCESS EXCLUSIVE")
    try:
        with owner.transaction():
            owner.execute("SELECT set_config('lock_timeout', %s, true)", (PATIENCE,))
            owner.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(table, mode))
            # A stored value keeps its form when it is copied; a computed one is compressed.
            owner.execute(
                sql.SQL(
                    """
                    CREATE TEMP TABLE kept ON COMMIT DROP AS
                    SELECT raw_payload_id, received_at, body || ''::bytea AS body, headers
                    FROM {} b WHERE {}
                    """
                ).format(table, kept)
            )
            owner.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
            owner.execute(sql.SQL("TRUNCATE {}").format(table))
            owner.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN body SET STORAGE EXTENDED").format(table)
            )
            owner.execute(
                sql.SQL(
                    "INSERT INTO {} (raw_payload_id, received_at, body, headers) SELECT * FROM kept"
                ).format(table)
            )
    except (LockNotAvailable, DeadlockDetected):
        return False
    return True
