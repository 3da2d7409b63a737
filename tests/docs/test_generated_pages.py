"""The generated pages are what `lightfast docs` would write now."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightfast_pipelines.cli.pages import (
    FACTS_BEGIN,
    FACTS_END,
    SETTINGS_BEGIN,
    SETTINGS_END,
    data_dictionary,
    events_page,
    stale_pages,
    with_facts,
    with_settings,
)
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.tables import metadata, view_metadata


def test_the_generated_pages_are_up_to_date() -> None:
    assert [page.name for page in stale_pages()] == [], "run `lightfast docs`"


def test_a_changed_comment_makes_the_dictionary_stale(tmp_path: Path) -> None:
    (tmp_path / "operations.md").write_text(with_settings(f"{SETTINGS_BEGIN}\n{SETTINGS_END}\n"))
    (tmp_path / "history.md").write_text(with_facts(f"{FACTS_BEGIN}\n{FACTS_END}\n"))
    (tmp_path / "events.md").write_text(events_page())
    (tmp_path / "data-dictionary.md").write_text(
        data_dictionary().replace("A tenant", "One tenant")
    )
    assert [page.name for page in stale_pages(tmp_path)] == ["data-dictionary.md"]


def test_the_dictionary_has_every_table_and_column() -> None:
    text = data_dictionary()
    for table in (*metadata.tables.values(), *view_metadata.tables.values()):
        section = text.partition(f"\n## {table.name}\n")[2].partition("\n## ")[0]
        rows = [
            line.split("|")[1].strip(" *") for line in section.splitlines() if line.startswith("| ")
        ][1:]
        assert rows == [column.name for column in table.columns]


def test_the_events_page_lists_every_declared_event_under_its_provider() -> None:
    text = events_page()
    for name, provider in discover().items():
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
        assert [(row[1].strip(" `"), row[2].strip(" `")) for row in rows] == [
            (rule.event, rule.action or "") for rule in getattr(provider, "events", ())
        ]


def test_every_table_and_column_has_a_meaning() -> None:
    silent = [
        f"{table.name}.{column.name}"
        for table in (*metadata.tables.values(), *view_metadata.tables.values())
        for column in table.columns
        if not (column.comment or "").strip() or not (table.comment or "").strip()
    ]
    assert silent == []


def test_a_page_without_a_place_for_the_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        with_settings("# Operations\n")
