"""Which views are exported, by which time, and the columns that each of their files has.

`schemas.json` keeps the columns, so that files of today and of next year fit together: a column can be
added and then the view's version is raised; it is never removed or given another type. `lightfast docs`
writes the file from the views' declared columns (`declared.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

DAY = "day"
"""Column that the folders of the days add, as `day=2026-05-01`."""

# View -> the time that decides its day; None: the view is one file.
MAIN_TIMES: Mapping[str, str | None] = {
    "changes": "occurred_at",
    "current_states": None,
    "deployment_periods": "live_from",
    "deployments": "created_at",
    "error_days": DAY,
    "errors": "first_seen_at",
    "file_changes": "committed_at",
    "incidents": "started_at",
    "issues": "created_at",
    "mentions": "occurred_at",
    "observations": "occurred_at",
    "people": None,
    "pull_requests": "created_at",
    "release_commits": "committed_at",
    "releases": "published_at",
    "repositories": None,
    "reviews": "submitted_at",
    "state_intervals": "valid_from",
}
# Other views show everything that is remembered and nothing that is deleted.
CONDITIONS: Mapping[str, str] = {"observations": "NOT is_deleted"}

# Our name of a type -> Postgres's, to which a view's column is cast when it is read.
POSTGRES_TYPES: Mapping[str, str] = {
    "text": "text",
    "category": "text",
    "json": "text",
    "texts": "text[]",
    "int64": "bigint",
    "int32": "integer",
    "float64": "double precision",
    "float32": "real",
    "bool": "boolean",
    "time": "timestamptz",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class ExportedColumn:
    """A column of the files. One that the view no longer has stays in them, without values."""

    name: str
    type: str
    nullable: bool
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class ExportedView:
    """A view, the version of its files' columns, and the time that decides the day of a row."""

    name: str
    version: int
    main_time: str | None
    columns: tuple[ExportedColumn, ...]

    @property
    def file_columns(self) -> tuple[ExportedColumn, ...]:
        """Without the day, if the view has one: the folder says it, and readers refuse it twice."""
        return tuple(column for column in self.columns if column.name != DAY)


@cache
def exported_views() -> Mapping[str, ExportedView]:
    """The views of `schemas.json`, by name."""
    text = resources.files(__package__).joinpath("schemas.json").read_text()
    return {view.name: view for view in read_schemas(text)}


def read_schemas(text: str) -> Iterator[ExportedView]:
    """The views that the text of a `schemas.json` describes."""
    for name, described in json.loads(text).items():
        columns = tuple(ExportedColumn(**column) for column in described["columns"])
        yield ExportedView(name, described["version"], MAIN_TIMES[name], columns)


def arrow_schema(view: ExportedView) -> pa.Schema:
    """The schema of each of the view's files."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "category": pa.dictionary(pa.int32(), pa.string()),
        "json": pa.string(),
        "texts": pa.list_(pa.field("element", pa.string())),
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float64": pa.float64(),
        "float32": pa.float32(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
    }
    fields = [
        pa.field(column.name, types[column.type], nullable=column.nullable)
        for column in view.file_columns
    ]
    return pa.schema(
        fields, metadata={"lightfast.view": view.name, "lightfast.version": str(view.version)}
    )
