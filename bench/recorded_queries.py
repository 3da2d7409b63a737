"""A connection that remembers its statements, so that their plans can be looked at afterwards.

Also reads what matters of a plan: which tables it reads from end to end, and how many pages it touches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from lightfast_pipelines.store.database import Connection, Database


@dataclass(slots=True)
class Statement:
    query: Any
    parameters: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a statement's plan did: pages read (also of triggers and functions), and each node."""

    pages: int
    nodes: tuple[dict[str, Any], ...] = field(repr=False)
    text: str = field(repr=False)

    def scanned(self) -> set[str]:
        """The tables with rows that it reads from end to end."""
        return {
            node["Relation Name"]
            for node in self.nodes
            if node["Node Type"] == "Seq Scan" and _rows(node)
        }

    def most_rows(self) -> int:
        """The most rows that a node has produced or thrown away, over all its loops."""
        return max(map(_rows, self.nodes), default=0)


def _rows(node: dict[str, Any]) -> int:
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return round(float(node["Actual Loops"] * rows))


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    statements: list[Statement]

    def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        began = time.perf_counter()
        super().execute(query, params, **options)
        query = query.decode() if isinstance(query, bytes) else query
        query = query.as_string(self) if isinstance(query, sql.Composable) else query
        self.statements.append(Statement(query, params, time.perf_counter() - began))
        return self


class Recorder:
    """A connection of the pipeline's role and the statements of its client-side cursors."""

    def __init__(self, database: Database) -> None:
        self.conn: Connection = database.connect()
        self.statements: list[Statement] = []
        self.conn.cursor_factory = type("_Recording", (_Cursor,), {"statements": self.statements})

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_error: object) -> None:
        self.conn.close()

    def plan(self, statement: Statement) -> Plan | None:
        """Runs it again and takes back what it changes; None if it is none that has a plan."""
        if not _has_plan(statement.query):
            return None
        before = len(self.statements)
        try:
            explained = self.conn.execute(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + str(statement.query),
                statement.parameters,
            ).fetchone()
            text = self.conn.execute(
                "EXPLAIN (ANALYZE, BUFFERS) " + str(statement.query), statement.parameters
            ).fetchall()
        finally:
            self.conn.rollback()
            del self.statements[before:]
        assert explained is not None
        [whole] = explained[0]
        top = whole["Plan"]
        return Plan(
            top["Shared Hit Blocks"] + top["Shared Read Blocks"],
            tuple(_nodes(top)),
            "\n".join(line for (line,) in text),
        )


def _has_plan(query: Any) -> bool:
    words = str(query).split(maxsplit=1)
    return bool(words) and words[0].upper() in {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
