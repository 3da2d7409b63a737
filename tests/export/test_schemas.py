"""The columns of the files only grow, whatever becomes of the views."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lightfast_pipelines.export.declared import schemas_text
from lightfast_pipelines.export.schemas import MAIN_TIMES, exported_views, read_schemas
from lightfast_pipelines.store.tables import view_metadata

NOW = json.loads(schemas_text(""))


def after(former: dict[str, Any], view: str = "changes") -> Any:
    """What `lightfast docs` makes of a former file, for one view."""
    return json.loads(schemas_text(json.dumps(former)))[view]


def former_with(**changes: Any) -> dict[str, Any]:
    """The columns of today, with some of `changes` as they were before; None: it was not there."""
    columns = [
        {**column, **(changes.get(column["name"]) or {})}
        for column in NOW["changes"]["columns"]
        if changes.get(column["name"], {}) is not None
    ]
    return {"changes": {"version": 3, "columns": columns}}


def test_columns_that_stay_the_same_keep_their_version() -> None:
    assert after({**NOW, **former_with()}) == former_with()["changes"]


def test_a_new_column_comes_last_and_raises_the_version() -> None:
    described = after(former_with(title=None))
    assert described["version"] == 4
    assert described["columns"][-1]["name"] == "title"


def test_a_column_that_the_view_no_longer_has_stays_without_values() -> None:
    former = former_with()
    former["changes"]["columns"].insert(2, {"name": "mood", "type": "text", "nullable": False})
    described = after(former)
    assert described["version"] == 4
    assert described["columns"][2] == {
        "name": "mood",
        "type": "text",
        "nullable": True,
        "is_gone": True,
    }
    assert after({"changes": described}) == described


def test_a_column_may_not_change_its_type() -> None:
    with pytest.raises(ValueError, match=r"changes.title was int64 .* and is text now"):
        schemas_text(json.dumps(former_with(title={"type": "int64"})))


def test_a_column_that_was_null_once_may_always_be_null() -> None:
    described = after(former_with(title={"nullable": True}))
    assert described == former_with(title={"nullable": True})["changes"]


def test_every_view_of_analysts_is_exported_by_a_time_of_its_own() -> None:
    of_analysts = {
        table.name
        for table in view_metadata.tables.values()
        if [column.name for column in table.columns][:2] == ["workspace", "workspace_id"]
    }
    assert of_analysts | {"observations"} == exported_views().keys(), "see MAIN_TIMES"
    for view in exported_views().values():
        types = {column.name: column.type for column in view.columns}
        assert view.main_time is None or types[view.main_time] in {"time", "date"}


def test_the_schemas_are_those_of_views_that_are_declared() -> None:
    names = {table.name for table in view_metadata.tables.values()}
    assert {view.name for view in read_schemas(schemas_text(""))} == MAIN_TIMES.keys() & names
