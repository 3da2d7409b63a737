"""Finds parts of documents by meaning or by words, within one workspace.

By the same functions that SQL has (`documents_near`, `documents_with`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.embedding.pgvector import literal
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace


@dataclass(frozen=True, slots=True)
class FoundPart:
    """A part of a document; `score` is the cosine of its vector, or the rank of its words."""

    repository: str
    path: str
    title: str
    heading_path: Sequence[str]
    text: str
    url: str | None
    first_line: int
    last_line: int
    changed_at: datetime
    changed_by: str | None
    commit_sha: str
    score: float


def documents_near(
    conn: Connection, embedder: Embedder, workspace: Workspace, question: str, most: int
) -> list[FoundPart]:
    """The parts whose meaning is nearest to the question's, the nearest first."""
    rows = conn.execute(
        "SELECT * FROM lightfast.documents_near(%s, %s, %s::halfvec, %s)",
        (workspace.full_name, embedder.name, literal(embedder.embed([question])[0]), most),
    )
    return [FoundPart(*row) for row in rows]


def documents_with(
    conn: Connection, workspace: Workspace, words: str, most: int
) -> list[FoundPart]:
    """The parts that hold these words, the best first."""
    rows = conn.execute(
        "SELECT * FROM lightfast.documents_with(%s, %s, %s)", (workspace.full_name, words, most)
    )
    return [FoundPart(*row) for row in rows]
