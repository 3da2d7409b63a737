"""The generated parts of docs/: the data dictionary, the events of the providers, the settings.

All are made of what the code itself says: comments of tables, declared events, descriptions.
"""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SETTINGS_BEGIN = "<!-- settings: written by `lightfast docs` -->"
SETTINGS_END = "<!-- end of settings -->"

_VIEW_COMMENT = re.compile(r"COMMENT ON VIEW lightfast\.(\w+) IS '((?:[^']|'')*)'")


def stale_pages(docs: Path = CHECKOUT / "docs") -> dict[Path, str]:
    """Page -> the text it should have, for each that has another."""
    operations = docs / "operations.md"
    wanted = {
        docs / "data-dictionary.md": data_dictionary(),
        docs / "events.md": events_page(),
        operations: with_settings(operations.read_text() if operations.exists() else ""),
    }
    return {
        page: text for page, text in wanted.items() if not page.exists() or page.read_text() != text
    }


def data_dictionary() -> str:
    """Every table and view of the schema with its comments, in Markdown."""
    from sqlalchemy.dialects import postgresql

    from lightfast_pipelines.store.schema import metadata

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    parts = [
        "# Data dictionary",
        "Schema `lightfast`. Written by `lightfast docs` from the comments on tables and columns, which the "
        "database carries too (`\\d+` in psql). Times are UTC with a time zone.",
    ]
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    parts.append("\n".join(f"- [{table.name}](#{table.name}): {table.comment}" for table in tables))
    for table in tables:
        rows = ["| column | type | null | meaning |", "|---|---|---|---|"]
        for column in table.columns:
            kind = (
                column.type.compile(dialect=dialect)
                .lower()
                .replace("timestamp with time zone", "timestamptz")
            )
            meaning = (column.comment or "").replace("|", "\\|")
            for key in column.foreign_keys:
                meaning += f" → `{key.target_fullname.removeprefix('lightfast.')}`"
            null = "yes" if column.nullable else ""
            name = f"**{column.name}**" if column.primary_key else column.name
            rows.append(f"| {name} | {kind} | {null} | {meaning} |")
        parts.append(f"## {table.name}\n\n{table.comment}\n\n" + "\n".join(rows))
    parts.append(
        "## Views\n\n| view | one row is |\n|---|---|\n"
        + "\n".join(f"| {n} | {c} |" for n, c in _views())
    )
    return "\n\n".join(parts) + "\n"


def events_page() -> str:
    """What becomes of each provider's events, in Markdown."""
    from lightfast_pipelines.providers import discover

    parts = [
        "# Events",
        "What becomes of each delivery. Written by `lightfast docs` from what the providers declare. "
        "**delivered**: it becomes observations of these types, in every workspace that wants its kind. "
        "**filtered**: understood, and nothing is remembered. **lifecycle**: it changes the connection or "
        "the linked resource; its outcome is `filtered`, with a reason that says so. Whatever is not listed "
        "is **parked** and read again when a higher rule version knows it.",
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
        parts.append(f"## {name}\n\nWanted unless set otherwise: {wanted}.\n\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _views() -> list[tuple[str, str]]:
    versions = CHECKOUT / "lightfast_pipelines" / "store" / "migrations" / "versions"
    found: dict[str, str] = {}
    for file in sorted([*versions.glob("*.sql"), *versions.glob("*.py")]):
        for name, comment in _VIEW_COMMENT.findall(file.read_text()):
            found[name] = comment.replace("''", "'").replace("|", "\\|")
    return sorted(found.items())


def settings_table() -> str:
    """Every setting with its default and meaning, in Markdown."""
    from lightfast_pipelines.settings import Settings

    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for field in Settings.model_fields.values():
        default = field.default
        shown = "" if default is None else f"`{default}`"
        rows.append(
            f"| `{field.alias}` | {shown} | {(field.description or '').replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows)


def with_settings(page: str) -> str:
    """The page with its table of settings written anew. Raises ValueError where it has no place for it."""
    before, begin, rest = page.partition(SETTINGS_BEGIN)
    _, end, after = rest.partition(SETTINGS_END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {SETTINGS_BEGIN!r} and {SETTINGS_END!r}")
    return f"{before}{begin}\n{settings_table()}\n{end}{after}"
