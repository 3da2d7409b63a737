"""What DuckDB needs to ask the files as it would ask Postgres: `duckdb -init DIR/views.sql`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from lightfast_pipelines.export.folder import FILE, SCHEMAS
from lightfast_pipelines.export.schemas import DAY, ExportedView

_IN_A_PATTERN = re.compile(r"([*?\[])")


def views_sql(
    folder: Path,
    views: Iterable[ExportedView],
    with_rows: Collection[str],
    with_former_columns: Collection[str],
) -> str:
    """SQL that creates a view of each name over the files. `with_rows`: the views that have any file.

    DuckDB refuses a pattern that no file matches, so a view without rows reads the file of its columns. It
    takes the columns of the first file for those of all, so where some files have fewer
    (`with_former_columns`), it is told to look at each, which is slow.
    """
    parts = [
        "-- The exported views for DuckDB: duckdb -init views.sql\n"
        "-- Written by `lightfast export`; run it again when this folder has moved."
    ]
    for view in views:
        has_day = view.main_time is not None
        if view.name in with_rows:
            days = f"{DAY}=*/" if has_day else ""
            path = _pattern(folder) + f"/*/*/{view.name}/{days}{FILE}"
            options = (
                f", hive_partitioning = true, hive_types = {{'{DAY}': DATE}}" if has_day else ""
            )
            if view.name in with_former_columns:
                options += ", union_by_name = true"
            columns, where = "*", ""
        else:
            path, options = _pattern(folder) + f"/{SCHEMAS}/{view.name}.parquet", ""
            columns, where = f"*, NULL::DATE AS {DAY}" if has_day else "*", "\nWHERE false"
        read = f"read_parquet({_quoted(path)}{options})"
        parts.append(
            f'CREATE OR REPLACE VIEW "{view.name}" AS\nSELECT {columns} FROM {read}{where};'
        )
    return "\n\n".join(parts) + "\n"


def _pattern(folder: Path) -> str:
    """The folder's path within a pattern of files: `[draft]` is its name and not a choice of letters."""
    return _IN_A_PATTERN.sub(r"[\1]", str(folder))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
