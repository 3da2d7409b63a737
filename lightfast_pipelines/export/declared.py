"""Derives the columns of the files from the views' declared columns, for `lightfast docs` and its test.

An export reads `schemas.json` instead: it must not change because a view does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from lightfast_pipelines.export.schemas import (
    MAIN_TIMES,
    ExportedColumn,
    ExportedView,
    read_schemas,
)
from lightfast_pipelines.store.tables import view_metadata

# Few distinct values, though no list says which.
_CATEGORIES = frozenset(
    {"workspace", "source", "source_type", "observation_type", "ingestion_source", "category"}
    | {"repository", "project", "team", "environment", "branch"}
)
_TYPES = {
    "text": "text",
    "text[]": "texts",
    "jsonb": "json",
    "bigint": "int64",
    "integer": "int32",
    "double precision": "float64",
    "numeric": "float64",
    "real": "float32",
    "boolean": "bool",
    "timestamp with time zone": "time",
    "date": "date",
}


def schemas_text(former: str) -> str:
    """The text of `schemas.json` for the views as they are declared now, given the former text.

    Raises ValueError if a column has another type than before: give the new one another name.
    """
    before = {view.name: view for view in read_schemas(former or "{}")}
    views = [
        _with_former(_declared(table), before.get(table.name))
        for table in sorted(view_metadata.tables.values(), key=lambda table: table.name)
        if table.name in MAIN_TIMES
    ]
    parts = [
        f'{json.dumps(view.name)}: {{"version": {view.version}, "columns": [\n  '
        + ",\n  ".join(json.dumps(_stated(column)) for column in view.columns)
        + "\n]}"
        for view in views
    ]
    return "{" + ",\n".join(parts) + "}\n"


def _declared(table: Table) -> ExportedView:
    columns = tuple(
        ExportedColumn(column.name, _type_of(column), bool(column.nullable))
        for column in table.columns
    )
    return ExportedView(table.name, 1, MAIN_TIMES[table.name], columns)


def _type_of(column: Column[Any]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    written = column.type.compile(dialect=dialect).lower().partition(" collate")[0]
    if written == "text" and ("values" in column.info or column.name in _CATEGORIES):
        return "category"
    if written not in _TYPES:
        raise ValueError(f"{column.table.name}.{column.name}: no file type for {written}")
    return _TYPES[written]


def _with_former(declared: ExportedView, former: ExportedView | None) -> ExportedView:
    """The columns of the files so far, as they are declared now, then new ones."""
    if former is None:
        return declared
    now = {column.name: column for column in declared.columns}
    kept = [_still(column, now.get(column.name), declared.name) for column in former.columns]
    known = {column.name for column in former.columns}
    columns = (*kept, *(column for column in declared.columns if column.name not in known))
    version = former.version + (columns != former.columns)
    return replace(declared, version=version, columns=columns)


def _still(former: ExportedColumn, now: ExportedColumn | None, view: str) -> ExportedColumn:
    if now is None:
        return replace(former, nullable=True, is_gone=True)
    if now.type != former.type:
        raise ValueError(
            f"{view}.{former.name} was {former.type} in the exported files and is {now.type} now: give "
            "the new column another name"
        )
    # What was null in a file stays null.
    return replace(now, nullable=now.nullable or former.nullable)


def _stated(column: ExportedColumn) -> Mapping[str, Any]:
    stated = asdict(column)
    return stated if column.is_gone else {k: v for k, v in stated.items() if k != "is_gone"}
