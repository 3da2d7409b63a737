"""The part of the data dictionary that lists the values of columns with a fixed vocabulary.

Types of observations and categories come from declarations in the code. Relationships, roles, states
and metadata fields are collected from the payloads of the tests: `make docs` writes them to
`docs/vocabulary.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Column

Words = Mapping[str, Sequence[str]]

_ACCOUNT_ROLES = ("actor", "author")

_KINDS = "Kinds of entities (`entities.category`)"
_ROLES = "How an observation names an entity (`observation_entities.role`)"
_STATES = "States (`temporal_states.state_type`, `state_value`)"
_TYPES = "Types of observations (`observations.source_type`) and the fields of their `metadata`"
# Lists that are too long for a row of the dictionary -> the section that has them.
_SECTIONS = {
    "changes": _TYPES,
    "kinds": _KINDS,
    "roles": _ROLES,
    "state_types": _STATES,
    "state_values": _STATES,
    "things": _TYPES,
    "types": _TYPES,
}


def values_section(vocabulary: Mapping[str, Words]) -> str:
    """The section in Markdown."""
    parts = [
        "## Values",
        "The values of columns with a fixed vocabulary. A name that ends in `*` is followed by what it "
        "is about (`live:production`). Values of states that are names or numbers are not listed.",
        _sources(),
        _table(
            _KINDS,
            ("category", "keys begin with"),
            _categories(),
        ),
        _table(
            "Types of edges (`relationships.type`)",
            ("type",),
            [(f"`{name}`",) for name in vocabulary.get("relationship", {})],
        ),
        _table(
            _ROLES,
            ("role",),
            [(f"`{name}`",) for name in vocabulary.get("role", {})],
        ),
        _table(
            "How people take part (`identity_mentions.role`)",
            ("role",),
            [
                (f"`{name}`",)
                for name in sorted({*vocabulary.get("account_role", {}), *_ACCOUNT_ROLES})
            ],
        ),
        _table(
            "What an observation refers to (`observations.references`, `type`)",
            ("type",),
            [(f"`{name}`",) for name in vocabulary.get("reference", {})],
        ),
        _table(
            _STATES,
            ("of", "state type", "values"),
            [
                (f"`{of}:`", f"`{name}`", ", ".join(f"`{value}`" for value in values))
                for of, _, name, values in (
                    (*key.partition(" "), values)
                    for key, values in vocabulary.get("state", {}).items()
                )
            ],
        ),
        _source_types(vocabulary.get("source_type", {})),
    ]
    return "\n\n".join(parts)


def values_of(column: Column[Any], vocabulary: Mapping[str, Words]) -> Sequence[str] | None:
    """The values that a view's column may have; None if it has no fixed vocabulary."""
    from lightfast_pipelines.read.values import LISTS, listed
    from lightfast_pipelines.store.tables.view_columns import VALUES

    values = column.info.get(VALUES)
    if not isinstance(values, str):
        return values
    if values in LISTS:
        return listed(values)
    if values == "roles":
        return sorted(vocabulary.get("role", {}))
    states = vocabulary.get("state", {})
    if values == "state_types":
        return sorted({name.partition(" ")[2] for name in states})
    if values == "state_values":
        return sorted({value for listed in states.values() for value in listed})
    raise ValueError(f"no list of values is named {values!r}")


def meaning_with_values(column: Column[Any], vocabulary: Mapping[str, Words]) -> str:
    """The column's comment, and its values or where they are listed."""
    from lightfast_pipelines.store.tables.view_columns import VALUES

    values, named = values_of(column, vocabulary), column.info.get(VALUES)
    section = _SECTIONS.get(named) if isinstance(named, str) else None
    if values is None:
        return column.comment or ""
    if section is not None:
        return f"{column.comment} [Values](#{_anchor(section)})."
    return f"{column.comment} One of {', '.join(f'`{value}`' for value in values)}."


def _anchor(title: str) -> str:
    """The name by which a Markdown page's heading is linked to."""
    kept = (letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")


def _declared_types() -> list[tuple[str, str]]:
    """(provider, source type) of every declared event."""
    from lightfast_pipelines.providers import discover

    return [
        (name, kind)
        for name, provider in discover().items()
        for kind in sorted({kind for rule in provider.events for kind in rule.source_types})
    ]


def read_vocabulary(path: Path) -> dict[str, dict[str, list[str]]]:
    """Empty if the file does not exist."""
    if not path.exists():
        return {}
    vocabulary: dict[str, dict[str, list[str]]] = json.loads(path.read_text())
    return vocabulary


def _sources() -> str:
    from lightfast_pipelines.providers import discover

    names = ", ".join(f"`{name}`" for name in discover())
    return (
        f"### Sources (`observations.source`)\n\n{names}; of identities (`actor_identities.source`) "
        "also `git`, for a name and address in a commit."
    )


def _categories() -> list[tuple[str, str]]:
    from lightfast_pipelines.domain.key_categories import categories

    prefixes: dict[str, list[str]] = {}
    for prefix, category in categories().items():
        prefixes.setdefault(category, []).append(f"`{prefix}:`")
    return [(f"`{category}`", ", ".join(begins)) for category, begins in sorted(prefixes.items())]


def _source_types(fields: Words) -> str:
    rows = [
        (
            provider,
            f"`{kind}`",
            ", ".join(f"`{field}`" for field in fields.get(f"{provider} {kind}", ())),
        )
        for provider, kind in _declared_types()
    ]
    return _table(_TYPES, ("source", "source type", "optional fields"), rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"### {title}\n\n" + "\n".join(lines)
