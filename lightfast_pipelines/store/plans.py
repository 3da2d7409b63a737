"""Has Postgres find rows by index, however small it believes a table to be.

A plan is made for the size of that moment and kept by the session. A table of a few thousand rows is read as
a whole, and so it is once it has grown: a batch would cost more with every year of history.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightfast_pipelines.store.database import Connection


@contextmanager
def by_index(conn: Connection) -> Iterator[None]:
    """Within the block, the session's plans read no table as a whole where an index will do.

    Commits before and after.
    """
    conn.execute("SET enable_seqscan = off")
    conn.commit()
    try:
        yield
    finally:
        if not conn.closed and not conn.broken:
            conn.rollback()
            conn.execute("RESET enable_seqscan")
            conn.commit()
