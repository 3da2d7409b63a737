"""The generated parts of docs/: the data dictionary, the providers' events and shared facts, the settings.

The code states all of their content: comments on tables, declared events, descriptions of settings. The
code location reads one of them, `assets/described.json`, because tables and rules load slowly. Another is
`export/schemas.json`: the columns of exported files, which only grow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.opening import CHECKOUT
from lightfast_pipelines.cli.values import (
    Words,
    meaning_with_values,
    read_vocabulary,
    values_section,
)

if TYPE_CHECKING:
    from sqlalchemy import Table

SETTINGS_BEGIN = "<!-- settings: written by `lightfast docs` -->"
SETTINGS_END = "<!-- end of settings -->"
FACTS_BEGIN = "<!-- facts: written by `lightfast docs` -->"
FACTS_END = "<!-- end of facts -->"

DESCRIBED = CHECKOUT / "lightfast_pipelines" / "assets" / "described.json"
EXPORTED = CHECKOUT / "lightfast_pipelines" / "export" / "schemas.json"

_FUNCTION_COMMENT = re.compile(
    r"COMMENT ON FUNCTION lightfast\.(\w+\([^)]*\)) IS\s+'((?:[^']|'')*)'"
)


def stale_pages(docs: Path = CHECKOUT / "docs") -> dict[Path, str]:
    """Page -> the text it should have, for each page that differs."""
    from lightfast_pipelines.export.declared import schemas_text

    operations, history = docs / "operations.md", docs / "history.md"
    texts = {
        docs / "data-dictionary.md": data_dictionary(),
        docs / "events.md": events_page(),
        operations: with_settings(operations.read_text() if operations.exists() else ""),
        history: with_facts(history.read_text() if history.exists() else ""),
        DESCRIBED: described(),
        EXPORTED: schemas_text(EXPORTED.read_text() if EXPORTED.exists() else ""),
    }
    return {
        page: text for page, text in texts.items() if not page.exists() or page.read_text() != text
    }


def _tables_and_views() -> list[Table]:
    """The views, then the tables, each by name."""
    from lightfast_pipelines.store.tables import metadata, view_metadata

    return [
        *(view_metadata.tables[name] for name in sorted(view_metadata.tables)),
        *(metadata.tables[name] for name in sorted(metadata.tables)),
    ]


def data_dictionary() -> str:
    """Every view and table of the schema with its comments, in Markdown."""
    from lightfast_pipelines.store.tables import metadata, view_metadata

    vocabulary = read_vocabulary(CHECKOUT / "docs" / "vocabulary.json")
    views: dict[bool, list[Table]] = {True: [], False: []}
    for view in view_metadata.tables.values():
        views["workspace" in view.columns].append(view)
    parts = [
        "# Data dictionary",
        "Schema `lightfast`. Written by `lightfast docs` from the comments on views, tables and columns, "
        "which are also in the database (`\\d+` in psql). Times are UTC with a time zone.",
        "**Analysts' views.** One row is one thing, with names and addresses; what is deleted or no longer "
        "believed is left out.",
        _links(views[True]),
        "**Other views** repeat tables and add a few columns.",
        _links(views[False]),
        "**Tables** are what the pipeline works on.",
        _links(metadata.tables.values()),
    ]
    parts += [_described_columns(table, vocabulary) for table in _tables_and_views()]
    parts.append(
        "## Functions\n\n| function | answers |\n|---|---|\n"
        + "\n".join(f"| `{n}` | {c} |" for n, c in _functions())
    )
    parts.append(values_section(vocabulary))
    return "\n\n".join(parts) + "\n"


def _links(tables: Iterable[Table]) -> str:
    listed = sorted(tables, key=lambda table: table.name)
    return "\n".join(f"- [{table.name}](#{table.name}): {table.comment}" for table in listed)


def _described_columns(table: Table, vocabulary: Mapping[str, Words]) -> str:
    from sqlalchemy.dialects import postgresql

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    rows = ["| column | type | null | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        kind = (
            column.type.compile(dialect=dialect)
            .lower()
            .replace("timestamp with time zone", "timestamptz")
        )
        meaning = meaning_with_values(column, vocabulary).replace("|", "\\|")
        for key in column.foreign_keys:
            meaning += f" → `{key.target_fullname.removeprefix('lightfast.')}`"
        null = "yes" if column.nullable else ""
        name = f"**{column.name}**" if column.primary_key else column.name
        rows.append(f"| {name} | {kind} | {null} | {meaning} |")
    return f"## {table.name}\n\n{table.comment}\n\n" + "\n".join(rows)


def described() -> str:
    """JSON for the code location: code versions of assets, and tables with their columns, one a line."""
    from sqlalchemy import UniqueConstraint
    from sqlalchemy.dialects import postgresql

    from lightfast_pipelines.assets.capture import TABLES
    from lightfast_pipelines.inbox.rule_versions import RULES_OF_ASSETS, code_version

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    versions = json.dumps(
        {asset: code_version(asset) for asset in sorted({*TABLES, *RULES_OF_ASSETS})}, indent=1
    )
    parts = []
    for table in _tables_and_views():
        keys = [
            constraint.columns.keys()
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        alone = {
            columns[0] for columns in (*keys, table.primary_key.columns.keys()) if len(columns) == 1
        }
        columns = [
            json.dumps(
                {
                    "name": column.name,
                    "type": column.type.compile(dialect=dialect).lower(),
                    "nullable": bool(column.nullable),
                    "unique": column.name in alone,
                    "comment": column.comment,
                },
                ensure_ascii=False,
            )
            for column in table.columns
        ]
        name, comment = json.dumps(table.name), json.dumps(table.comment, ensure_ascii=False)
        parts.append(
            f'{name}: {{"comment": {comment}, "columns": [\n  ' + ",\n  ".join(columns) + "\n]}"
        )
    tables = ",\n".join(parts)
    return f'{{"code_versions": {versions},\n"tables": {{{tables}}}}}\n'


def events_page() -> str:
    """What becomes of each provider's events, in Markdown."""
    from lightfast_pipelines.providers import discover

    parts = [
        "# Events",
        "What becomes of each delivery. Written by `lightfast docs` from the providers' declarations. "
        "**delivered**: it becomes observations of these types, in every workspace that wants this kind of event. "
        "**filtered**: understood, but not kept as observations. **lifecycle**: it changes the connection or "
        "the linked resource; its outcome is `filtered`, with that as the reason. An event that is not listed "
        "is **parked** and read again once a later rule version handles it.",
    ]
    for name, provider in discover().items():
        rows = ["| event | action | becomes | note |", "|---|---|---|---|"]
        for rule in getattr(provider, "events", ()):
            action = f"`{rule.action}`" if rule.action else ""
            types = ", ".join(f"`{kind}`" for kind in rule.source_types)
            becomes = types or rule.outcome
            note = rule.note.replace("|", "\\|")
            rows.append(f"| `{rule.event}` | {action} | {becomes} | {note} |")
        wanted = ", ".join(f"`{event}`" for event in sorted(provider.default_events))
        parts.append(f"## {name}\n\nWanted by default: {wanted}.\n\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _functions() -> list[tuple[str, str]]:
    """(name, comment) of the functions that the migrations' SQL files define, sorted."""
    versions = CHECKOUT / "lightfast_pipelines" / "store" / "migrations" / "versions"
    comments: dict[str, str] = {}
    for file in sorted([*versions.rglob("*.sql"), *versions.glob("*.py")]):
        for name, comment in _FUNCTION_COMMENT.findall(file.read_text()):
            comments[name] = comment.replace("''", "'").replace("|", "\\|")
    return sorted(comments.items())


def settings_table() -> str:
    """Every setting with its default and meaning, in Markdown."""
    from lightfast_pipelines.settings import Settings
    from lightfast_pipelines.settings.retention import RetentionSettings
    from lightfast_pipelines.settings.services import ServiceSettings

    rows = ["| variable | default | meaning |", "|---|---|---|"]
    # Pydantic lists inherited fields first; hosted services are the last that a reader needs.
    later = (ServiceSettings.model_fields, RetentionSettings.model_fields)
    fields = sorted(Settings.model_fields.items(), key=lambda item: [item[0] in of for of in later])
    for _, field in fields:
        default = field.default
        shown = "" if default is None or field.default_factory else f"`{default}`"
        rows.append(
            f"| `{field.alias}` | {shown} | {(field.description or '').replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows)


def with_settings(page: str) -> str:
    """The page with a new table of settings. Raises ValueError if it has no place for the table."""
    return _with_block(page, SETTINGS_BEGIN, SETTINGS_END, settings_table())


def with_facts(page: str) -> str:
    """The page with new tables of shared facts. Raises ValueError like `with_settings`."""
    return _with_block(page, FACTS_BEGIN, FACTS_END, shared_facts())


def _with_block(page: str, first: str, last: str, text: str) -> str:
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {first!r} and {last!r}")
    return f"{before}{begin}\n{text}\n{end}{after}"


# Optional tables of a provider's `shared_facts` -> the line above them.
_FURTHER = {
    "SHARED_IN_PART": "Partly reported by the API:",
    "SHARED_AS_OF_TODAY": "Fields for which the API reports only the latest value:",
    "LATEST_BY_API": "Reported by the API only as of today:",
    "DATED_BY_SENDING": "Dated by the webhook with the time it was sent, by the API with the time of the event:",
    "ONLY_BY_API": "Reported only by the API:",
}


def shared_facts() -> str:
    """For each provider, what its webhooks and its API both report and what only one does, in Markdown."""
    import importlib

    from lightfast_pipelines.providers.api_contract import discover_apis

    parts: list[str] = []
    for name in discover_apis():
        facts = importlib.import_module(f"lightfast_pipelines.providers.{name}.api.shared_facts")
        both = ", ".join(f"`{kind}`" for kind in sorted(facts.SHARED))
        parts.append(f"### {name}\n\nReported by both: {both}.")
        for table, title in _FURTHER.items():
            kinds = getattr(facts, table, {})
            notes = kinds if isinstance(kinds, dict) else dict.fromkeys(sorted(kinds), "")
            rows = [f"- `{kind}`{f': {note}' if note else ''}" for kind, note in notes.items()]
            if rows:
                parts.append(title + "\n\n" + "\n".join(rows))
        rows = ["| webhook | fields that only it reports | why |", "|---|---|---|"]
        for event, paths in sorted(facts.ONLY_BY_WEBHOOK.items()):
            by_reason: dict[str, list[str]] = {}
            for path, reason in paths.items():
                by_reason.setdefault(reason, []).append(f"`{path}`" if path else "all")
            rows += [
                f"| `{event}` | {', '.join(fields)} | {reason} |"
                for reason, fields in by_reason.items()
            ]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)
