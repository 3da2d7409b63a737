"""Counts the rows that a database reads and writes, as time would say more about the machine than the
code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightfast_pipelines.store.database import Connection, Database


def rows_read(conn: Connection, *tables: str) -> int:
    """Rows and index entries that scans of these tables (none named: all tables) have read so far."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.commit()
    row = conn.execute(
        """
        SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables
                WHERE schemaname = 'lightfast' AND (%(all)s OR relname = ANY(%(tables)s)))
             + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes
                WHERE schemaname = 'lightfast' AND (%(all)s OR relname = ANY(%(tables)s)))
        """,
        {"all": not tables, "tables": list(tables)},
    ).fetchone()
    conn.rollback()
    assert row is not None
    return int(row[0])


def rows_written(conn: Connection, table: str) -> int:
    """Rows that were inserted into this table or deleted from it so far."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.commit()
    row = conn.execute(
        """
        SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
        WHERE schemaname = 'lightfast' AND relname = %s
        """,
        (table,),
    ).fetchone()
    conn.rollback()
    assert row is not None
    return int(row[0])


@contextmanager
def without_leftovers(database: Database, conn: Connection) -> Iterator[None]:
    """Within it, scans read what they would read of a large table: no deleted rows that wait for
    vacuum, and no whole table because a test's is small."""
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    conn.execute("SET enable_seqscan = off")
    conn.commit()
    yield
    conn.execute("RESET enable_seqscan")
    conn.commit()
