"""Reads docs/questions.md: the questions of analysts, each with its parameters, SQL, pandas and answer.

    ## A question
    What it means, and what it is easy to get wrong.
    - `since`: `2026-05-13 00:00Z`
    ```sql
    ... :'since' ...
    ```
    ```python
    answer = ...
    ```
    | the answer on the demo | ... |

Parameters are written as psql's variables. Nothing is asked here: the tests ask the demo, and the
benchmark of queries a grown history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "questions.md"
NO_ROWS = "*no rows*"

_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!## ).*\n?)*)", re.MULTILINE)
_PARAMETER = re.compile(r"^- `(\w+)`: `([^`]+)`", re.MULTILINE)
_VARIABLE = re.compile(r":'(\w+)'")


@dataclass(frozen=True, slots=True)
class DocumentedQuestion:
    """`parameters` have the demo's values; `answer` is the table below, as it is written."""

    title: str
    parameters: Mapping[str, str]
    sql: str
    pandas: str
    answer: str

    @property
    def variables(self) -> frozenset[str]:
        """The parameters that its SQL names."""
        return frozenset(_VARIABLE.findall(self.sql))

    @property
    def statement(self) -> str:
        """Its SQL with psycopg's parameters."""
        return _VARIABLE.sub(r"%(\1)s", self.sql.replace("%", "%%"))


def read_page(text: str) -> tuple[DocumentedQuestion, ...]:
    """The questions of a page: its sections that have SQL. Parameters above all of them belong to each."""
    common = dict(_PARAMETER.findall(text.partition("\n## ")[0]))
    return tuple(
        DocumentedQuestion(
            found["title"].strip(),
            common | dict(_PARAMETER.findall(found["body"])),
            _block(found["body"], "sql"),
            _block(found["body"], "python"),
            _after_code(found["body"]),
        )
        for found in _SECTION.finditer(text)
        if "```sql" in found["body"]
    )


def questions() -> tuple[DocumentedQuestion, ...]:
    return read_page(PAGE.read_text())


def with_answers(text: str, answers: Mapping[str, str]) -> str:
    """The page with other answers, by the titles of their questions."""

    def rewritten(found: re.Match[str]) -> str:
        title, body = found["title"].strip(), found["body"]
        if title not in answers:
            return found[0]
        code, fence, _ = body.rpartition("\n```\n")
        return f"## {found['title']}\n{code}{fence}\n{answers[title]}\n\n"

    return _SECTION.sub(rewritten, text).rstrip("\n") + "\n"


def as_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An answer as the page shows it."""
    shown = [" | ".join(map(cell, row)) for row in rows]
    if not shown:
        return NO_ROWS
    lines = [" | ".join(columns), "|".join("---" for _ in columns), *shown]
    return "\n".join(
        f"|{line}|" if number == 1 else f"| {line} |" for number, line in enumerate(lines)
    )


def cell(value: Any) -> str:
    """A value as the page shows it: times in UTC to the minute, lists with commas."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    if isinstance(value, float | Decimal):
        return f"{value:g}"
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _block(body: str, language: str) -> str:
    return body.partition(f"```{language}\n")[2].partition("\n```")[0]


def _after_code(body: str) -> str:
    return body.rpartition("\n```\n")[2].strip()
