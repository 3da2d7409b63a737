"""The map of the plans' columns has every planned column, and names existing columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightfast_pipelines.store.tables import metadata, view_metadata

PAGE = Path(__file__).parents[2] / "docs" / "plan-columns.md"
_POINTER = re.compile(r"`([a-z_]+)\.([a-z_]+)`")
_INSIDE = re.compile(r"\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]")


def sections() -> dict[str, str]:
    """Each planned table -> its section of the page."""
    parts = re.split(r"^## (\w+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def mapped(section: str) -> set[str]:
    return set(re.findall(r"^\| (\w+) \|", section, flags=re.MULTILINE)) - {"plan"}


def planned(text: str) -> set[str]:
    """Columns of a paragraph `id, name (why), {a, b}, ... . Indexes: ...`."""
    columns = re.split(r"\b(?:Indexes|Unique|Index|indexes)\b", text)[0]
    while _INSIDE.search(columns):
        columns = _INSIDE.sub("", columns)
    names: set[str] = set()
    for part in re.split(r"[,;.]", columns):
        names |= {word for word in re.split(r"\band\b", part.strip()) if word.strip()}
    return {word.strip() for word in names}


def nested(text: str) -> set[str]:
    """The names in braces: fields of a column that is an object."""
    inside = " ".join(re.findall(r"\{[^()]*\}", text))
    return set(re.findall(r"\b[a-z]+(?:[A-Z]\w*)?\b", inside)) - {
        "domain",
        "weight",
        "type",
        "share",
    }


def plan(shared: Path) -> dict[str, str]:
    text = (shared / "spec" / "tables.md").read_text()
    return dict(re.findall(r"^\*\*(\w+)\*\*[^:]*: (.*)$", text, re.MULTILINE))


def test_every_planned_table_has_a_section(shared: Path) -> None:
    assert set(plan(shared)) == set(sections())


def test_every_planned_column_is_mapped(shared: Path) -> None:
    here = sections()
    missing = {name: planned(text) - mapped(here[name]) for name, text in plan(shared).items()}
    assert {name: columns for name, columns in missing.items() if columns} == {}


def test_every_field_of_a_planned_object_is_mentioned(shared: Path) -> None:
    here = sections()
    missing = {
        name: {
            field for field in nested(text) - mapped(here[name]) if f"`{field}`" not in here[name]
        }
        for name, text in plan(shared).items()
    }
    assert {name: fields for name, fields in missing.items() if fields} == {}


def test_only_planned_columns_are_mapped(shared: Path) -> None:
    surplus = {
        name: mapped(sections()[name]) - planned(text) for name, text in plan(shared).items()
    }
    assert {name: columns for name, columns in surplus.items() if columns} == {}


@pytest.mark.parametrize(("table", "column"), sorted(set(_POINTER.findall(PAGE.read_text()))))
def test_every_column_of_the_map_exists(table: str, column: str) -> None:
    described = {**metadata.tables, **view_metadata.tables}
    assert column in described[f"lightfast.{table}"].columns
