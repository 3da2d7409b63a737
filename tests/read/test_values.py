"""The values of a view's columns are those that the data dictionary lists."""

from __future__ import annotations

from lightfast_pipelines.cli.values import values_of
from lightfast_pipelines.read.values import declared_values
from lightfast_pipelines.store.tables import view_metadata
from lightfast_pipelines.store.tables.view_columns import VALUES


def test_a_column_has_the_values_of_the_dictionary() -> None:
    """Without those that are collected from payloads, such as states, whose values may be names."""
    compared = 0
    for view in view_metadata.tables.values():
        for column in view.columns:
            if VALUES not in column.info:
                continue
            expected = tuple(values_of(column, {}) or ()) or None
            assert declared_values(view.name, column.name) == expected, column
            compared += expected is not None
    assert compared > 5


def test_a_state_is_text() -> None:
    assert declared_values("current_states", "state_type") is None
    assert declared_values("current_states", "value") is None
