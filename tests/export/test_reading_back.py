"""DuckDB and pandas read from the files what Postgres says of the views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from lightfast_pipelines.export import run
from lightfast_pipelines.export.errors import ExportError
from lightfast_pipelines.export.schemas import (
    POSTGRES_TYPES,
    ExportedColumn,
    ExportedView,
    arrow_schema,
)
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import workspace_with
from tests.demo.test_story import play
from tests.export.reading_back import (
    VIEWS,
    as_owner,
    by_duckdb,
    by_pandas,
    by_sql,
    exported,
)

NASTY = 'It\'s "quoted", \\N \\. \t,\r\n;\u2028 \U0001f6d2\U0001f469\u200d\U0001f4bb é \u202e end'


def test_every_view_reads_back_as_postgres_says(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    play(conn)
    folder = tmp_path / "it's [a] *new* folder?"
    as_owner(
        database,
        "UPDATE lightfast.observation_facts SET title = %s, content = %s, topics = ARRAY[%s, '', 'NULL']",
        *(NASTY, NASTY * 50, NASTY),
    )
    for place, time in enumerate(
        ("infinity", "-infinity", "0044-03-15 BC", "9999-12-31 23:59:59.9")
    ):
        as_owner(
            database,
            "UPDATE lightfast.observation_facts SET occurred_at = %s, topics = '{}', content = '' "
            "WHERE id = (SELECT id FROM lightfast.observation_facts ORDER BY id OFFSET %s LIMIT 1)",
            *(time, place),
        )
    as_owner(database, "ANALYZE")  # no autovacuum does it in tests
    exported(database, folder)
    wrong, counts = {}, {}
    for view in VIEWS.values():
        expected = by_sql(conn, view)
        counts[view.name] = len(expected)
        if by_duckdb(folder, view) != expected:
            wrong[view.name] = "DuckDB"
        [workspace] = folder.glob("*/*/manifest.json")
        if expected and by_pandas(workspace.parent, view) != expected:
            wrong[view.name] = "pandas"
    assert wrong == {}
    assert counts["changes"] > 50


# Of each type: a value, an awkward one, and null.
CELLS = {
    "workspace": ("'shop'", "'shop'", "'shop'"),
    "workspace_id": ("{id}", "{id}", "{id}"),
    "held_at": ("timestamptz '2026-05-01 23:59:59.999999+00'", "timestamptz 'infinity'", "NULL"),
    "text": ("'x'", "''", "NULL"),
    "category": ("'a'", "'a'", "NULL"),
    "json": ("""'{{"b": [1, null], "a": "\\u00e9"}}'::jsonb""", "'null'::jsonb", "NULL"),
    "texts": ("ARRAY['a', NULL, '']", "'{{}}'::text[]", "NULL"),
    "int64": ("9007199254740992", "-9007199254740992", "NULL"),
    "int32": ("7", "0", "NULL"),
    "float64": ("0.1::float8", "float8 '-infinity'", "NULL"),
    "float32": ("0.5::real", "real 'infinity'", "NULL"),
    "bool": ("true", "false", "NULL"),
    "time": ("timestamptz '1969-12-31 23:59:59.999999+00'", "timestamptz '-infinity'", "NULL"),
    "date": ("date '1969-12-31'", "date '0001-01-01'", "NULL"),
}


@pytest.fixture
def meetings(database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch) -> ExportedView:
    """A view with a column of each type, each of which is null in a row."""
    workspace = workspace_with(conn, "shop")
    columns = tuple(
        ExportedColumn(
            name,
            {"workspace": "category", "workspace_id": "int64", "held_at": "time"}.get(name, name),
            nullable=not name.startswith("workspace"),
        )
        for name in CELLS
    )
    assert {column.type for column in columns} == POSTGRES_TYPES.keys()
    rows = (
        ", ".join(
            f'{cells[n].format(id=workspace.id)} AS "{name}"' for name, cells in CELLS.items()
        )
        for n in range(3)
    )
    as_owner(
        database, "CREATE VIEW lightfast.meetings AS SELECT " + " UNION ALL SELECT ".join(rows)
    )
    as_owner(
        database, "GRANT SELECT ON lightfast.meetings TO lightfast_analyst, lightfast_pipeline"
    )
    view = ExportedView("meetings", 1, "held_at", columns)
    monkeypatch.setattr(run, "exported_views", lambda: {"meetings": view})
    return view


def test_every_type_reads_back_and_a_row_without_a_time_has_a_day_of_its_own(
    database: Database, conn: Connection, tmp_path: Path, meetings: ExportedView
) -> None:
    report = exported(database, tmp_path)
    expected = by_sql(conn, meetings)
    assert by_duckdb(tmp_path, meetings) == expected
    assert by_pandas(tmp_path / "default" / "shop", meetings) == expected
    assert [str(file.day) for file in report.files] == ["0001-01-01", "2026-05-01", "9999-12-31"]
    assert exported(database, tmp_path).written == []


def test_every_file_has_the_schema_of_its_view(
    database: Database, tmp_path: Path, meetings: ExportedView
) -> None:
    exported(database, tmp_path)
    schemas = [parquet.read_schema(path) for path in tmp_path.glob("**/*.parquet")]
    assert len(schemas) == 4
    for schema in schemas:
        assert schema.equals(arrow_schema(meetings), check_metadata=True)
    assert [field.nullable for field in schemas[0]][:3] == [False, False, True]


def test_a_null_that_the_description_rules_out_is_named(
    database: Database, tmp_path: Path, meetings: ExportedView, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = tuple(replace(column, nullable=False) for column in meetings.columns)
    monkeypatch.setattr(
        run, "exported_views", lambda: {"meetings": replace(meetings, columns=strict)}
    )
    with pytest.raises(ExportError, match="the view meetings has a null in held_at"):
        exported(database, tmp_path)
    assert list(tmp_path.glob("**/*.parquet")) == []
