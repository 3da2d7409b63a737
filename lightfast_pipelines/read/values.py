"""The values that columns may have, as the code declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache


def declared_values(table: str, column: str) -> Sequence[str] | None:
    """The values in their order; None where they are not listed."""
    from lightfast_pipelines.store.tables import view_metadata
    from lightfast_pipelines.store.tables.view_columns import VALUES

    values: Sequence[str] | str | None = _OF_TABLES.get((table, column))
    view = view_metadata.tables.get(f"lightfast.{table}")
    if view is not None and column in view.columns:
        values = view.columns[column].info.get(VALUES, values)
    if isinstance(values, str):
        return listed(values) if values in LISTS else None
    return None if values is None else tuple(values)


def listed(name: str) -> Sequence[str]:
    """The values of a list that several columns share."""
    return LISTS[name]()


@cache
def _providers() -> Sequence[str]:
    from lightfast_pipelines.providers import discover

    return tuple(discover())


@cache
def _types() -> Sequence[str]:
    from lightfast_pipelines.providers import discover

    return tuple(
        sorted(
            {
                kind
                for provider in discover().values()
                for rule in provider.events
                for kind in rule.source_types
            }
        )
    )


def _things() -> Sequence[str]:
    return tuple(sorted({kind.partition(".")[0] for kind in _types()}))


def _changes() -> Sequence[str]:
    return tuple(sorted({kind.partition(".")[2] for kind in _types()}))


@cache
def _kinds() -> Sequence[str]:
    from lightfast_pipelines.domain.key_categories import categories

    return tuple(sorted(set(categories().values())))


@cache
def _categories() -> Sequence[str]:
    from lightfast_pipelines.domain.classification import CATEGORIES

    return tuple(CATEGORIES)


# What a column's `info` calls them (`store/tables/view_columns.py`).
LISTS: Mapping[str, Callable[[], Sequence[str]]] = {
    "providers": _providers,
    "types": _types,
    "things": _things,
    "changes": _changes,
    "kinds": _kinds,
    "categories": _categories,
}
_OF_TABLES = {
    **{
        (table, column): values
        for table in ("observations", "remembered", "observation_facts")
        for column, values in (
            ("source", "providers"),
            ("source_type", "types"),
            ("category", "categories"),
        )
    },
    ("entities", "category"): "kinds",
    ("temporal_states", "entity_type"): "kinds",
}
