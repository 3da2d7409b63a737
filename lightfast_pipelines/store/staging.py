"""Rows on their way in: COPY into a temporary table shaped like its target, read by one statement.

Knows nothing of what is done with the rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from lightfast_pipelines.store.database import Connection


def stage(
    conn: Connection, target: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> str:
    """Copies the rows into a temporary table and returns its name; it is empty again after commit.

    `target` is a table of schema `lightfast`; column types are taken from it, constraints are not.
    jsonb columns take JSON text.
    """
    name = f"stage_{target}_{zlib.crc32(chr(31).join(columns).encode()):08x}"
    quoted = ", ".join(f'"{column}"' for column in columns)
    conn.execute(
        f"""
        CREATE TEMPORARY TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS
        AS SELECT {quoted} FROM lightfast.{target} WITH NO DATA
        """
    )
    conn.execute(f"TRUNCATE {name}")
    with conn.cursor().copy(f"COPY {name} ({quoted}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    return name
