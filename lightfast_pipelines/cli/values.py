"""The part of the data dictionary that lists which values its columns have.

Types of observations and categories are read from what the code declares. Edges, roles, states and
fields of metadata are those that the code makes of the payloads that the tests know: `make docs`
writes them to `docs/vocabulary.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Words = Mapping[str, Sequence[str]]

_ACCOUNT_ROLES = ("actor", "author")


def values_section(vocabulary: Mapping[str, Words]) -> str:
    """In Markdown; the same for the same declarations and vocabulary."""
    parts = [
        "## Values",
        "What stands in columns of a fixed vocabulary. A name that ends in `*` is continued by what it "
        "is about (`live:production`). Of states whose values are names or numbers, none are listed.",
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
                (f"`{of}:`", f"`{name}`", ", ".join(f"`{value}`" for value in found))
                for of, _, name, found in (
                    (*key.partition(" "), found)
                    for key, found in vocabulary.get("state", {}).items()
                )
            ],
        ),
        _source_types(vocabulary.get("source_type", {})),
    ]
    return "\n\n".join(parts)


def read_vocabulary(path: Path) -> dict[str, dict[str, list[str]]]:
    """Empty where it was never written."""
    if not path.exists():
        return {}
    found: dict[str, dict[str, list[str]]] = json.loads(path.read_text())
    return found


def _sources() -> str:
    from lightfast_pipelines.providers import discover

    names = ", ".join(f"`{name}`" for name in discover())
    return (
        f"### Sources (`observations.source`)\n\n{names}; of identities (`actor_identities.source`) "
        "also `git`, for a name and address that a commit carries."
    )


def _categories() -> list[tuple[str, str]]:
    from lightfast_pipelines.domain.key_categories import categories

    prefixes: dict[str, list[str]] = {}
    for prefix, category in categories().items():
        prefixes.setdefault(category, []).append(f"`{prefix}:`")
    return [(f"`{category}`", ", ".join(found)) for category, found in sorted(prefixes.items())]


def _source_types(fields: Words) -> str:
    from lightfast_pipelines.providers import discover

    rows: list[tuple[str, ...]] = []
    for name, provider in discover().items():
        declared = sorted({kind for rule in provider.events for kind in rule.source_types})
        for kind in declared:
            known = ", ".join(f"`{field}`" for field in fields.get(f"{name} {kind}", ()))
            rows.append((name, f"`{kind}`", known))
    return _table(
        "Types of observations (`observations.source_type`) and the fields of their `metadata`",
        ("source", "source type", "fields that may be there"),
        rows,
    )


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"### {title}\n\n" + "\n".join(lines)
