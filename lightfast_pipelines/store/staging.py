"""Copies rows into a temporary table shaped like their target, for one statement to read."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from lightfast_pipelines.store.database import Connection


def stage(
    conn: Connection, target: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> str:
    """Copies the rows into a temporary table and returns its name; a commit empties the table.

    It has the column types of `target`, a table of schema `lightfast`, without the constraints. Give
    JSON text for jsonb columns.
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
