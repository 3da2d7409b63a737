"""The part of the data dictionary that lists the values of columns with a fixed vocabulary.

Types of observations and categories come from declarations in the code. Relationships, roles, states
and metadata fields are collected from the payloads of the tests: `make docs` writes them to
`docs/vocabulary.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Words = Mapping[str, Sequence[str]]

_ACCOUNT_ROLES = ("actor", "author")


def values_section(vocabulary: Mapping[str, Words]) -> str:
    """The section in Markdown."""
    parts = [
        "## Values",
        "The values of columns with a fixed vocabulary. A name that ends in `*` is followed by what it "
        "is about (`live:production`). Values of states that are names or numbers are not listed.",
        _sources(),
        _table(
            "Kinds of entities (`entities.category`)",
            ("category", "keys begin with"),
            _categories(),
        ),
        _table(
            "Types of edges (`relationships.type`)",
            ("type",),
            [(f"`{name}`",) for name in vocabulary.get("relationship", {})],
        ),
        _table(
            "How an observation names an entity (`observation_entities.role`)",
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
            "States (`temporal_states.state_type`, `state_value`)",
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
    from lightfast_pipelines.providers import discover

    rows: list[tuple[str, ...]] = []
    for name, provider in discover().items():
        declared = sorted({kind for rule in provider.events for kind in rule.source_types})
        for kind in declared:
            names = ", ".join(f"`{field}`" for field in fields.get(f"{name} {kind}", ()))
            rows.append((name, f"`{kind}`", names))
    return _table(
        "Types of observations (`observations.source_type`) and the fields of their `metadata`",
        ("source", "source type", "optional fields"),
        rows,
    )


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"### {title}\n\n" + "\n".join(lines)
