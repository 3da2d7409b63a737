"""Whether a full disk is why a batch failed.

What fails on a full disk is whatever needs a new page just then, while smaller work that finds room in old
pages still succeeds. So the success of others does not prove that the disk has room again.
"""

from __future__ import annotations

import psycopg

from lightfast_pipelines.store.database import Connection

# 32 MiB, which is more than a batch writes; it takes some 50 ms.
_TAKE_ROOM = """
    CREATE TEMP TABLE disk_room ON COMMIT DROP AS
    SELECT repeat('x', 1900) FROM generate_series(1, 17000)
"""


def disk_is_full(conn: Connection, error: Exception) -> bool:
    """Whether the error says that the disk is full, and there is no proof that it has room again.

    Call it after a rollback; it ends with one.
    """
    if not isinstance(error, psycopg.errors.DiskFull):
        return False
    try:
        conn.execute(_TAKE_ROOM)
    except psycopg.Error:
        return True
    finally:
        if not conn.closed:
            conn.rollback()
    return False
