"""The memories that `bench.retrieval` asks: each masked history in a workspace, and what each method finds there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.capture import ingest_file, process_all
from bench.retrieval_items import KnownItem, MaskedHistory
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.search.conditions import Conditions
from lightfast_pipelines.search.ranked import Ranking
from lightfast_pipelines.search.ranking import FEATURES, Candidate, features_of
from lightfast_pipelines.search.results import PathName, SearchFilters
from lightfast_pipelines.search.search import rank
from lightfast_pipelines.search.vector_path import nearest
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import Workspace, find_workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEPTH = 10


@dataclass(slots=True)
class Asked:
    """A question with what answers it and what each method found. Without an answer, `relevant` is empty."""

    kind: str
    question: str
    relevant: frozenset[int]
    candidates: list[Candidate]
    features: NDArray[np.float64]
    found: dict[PathName, list[int]]
    is_named: bool
    baselines: dict[str, list[int]] = field(default_factory=dict)


def fill(database: Database, history: MaskedHistory) -> None:
    """Ingests and processes the history; every delivery is received when it happened."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for line in history.deliveries:
            file.write(json.dumps({**line, "received_at": line["occurred_at"]}) + "\n")
        file.flush()
        ingest_file(database, Path(file.name), history.name)
    process_all(database)


def observations_of(
    conn: Connection, workspace: Workspace, items: Sequence[KnownItem]
) -> list[frozenset[int]]:
    """The observations that are about each item's answers."""
    about: dict[str, list[int]] = {}
    for observation, key in conn.execute(
        """
        SELECT id, subject_key FROM lightfast.observation_facts
        WHERE workspace_id = %s AND NOT is_deleted
        """,
        (workspace.id,),
    ):
        about.setdefault(key, []).append(observation)
    return [
        frozenset(observation for key in item.answers for observation in about.get(key, ()))
        for item in items
    ]


class Bm25:
    """BM25 alone, by bm25s with its usual settings and English stop words, over titles and contents."""

    def __init__(self, conn: Connection, workspace: Workspace) -> None:
        import bm25s

        rows = conn.execute(
            """
            SELECT id, title || E'\\n' || content FROM lightfast.observation_facts
            WHERE workspace_id = %s AND NOT is_deleted ORDER BY id
            """,
            (workspace.id,),
        ).fetchall()
        self._ids = [row[0] for row in rows]
        self._model = bm25s.BM25()
        self._model.index(
            bm25s.tokenize([row[1] for row in rows], stopwords="en", show_progress=False),
            show_progress=False,
        )

    def find(self, question: str) -> list[int]:
        import bm25s

        tokens = bm25s.tokenize([question], stopwords="en", show_progress=False)
        places, scores = self._model.retrieve(tokens, k=DEPTH, show_progress=False)
        return [
            self._ids[int(place)]
            for place, score in zip(places[0], scores[0], strict=True)
            if score > 0
        ]


class Memory:
    """A workspace with its baselines, asked one question after the other."""

    def __init__(self, conn: Connection, name: str) -> None:
        self.conn = conn
        self.workspace = find_workspace(conn, name)
        self._bm25 = Bm25(conn, self.workspace)
        self._embedder = WordLlamaEmbedder()
        row = conn.execute(
            "SELECT max(occurred_at), max(id) FROM lightfast.observation_facts WHERE workspace_id = %s",
            (self.workspace.id,),
        ).fetchone()
        assert row is not None
        self.now: datetime = row[0].astimezone(UTC)
        self._all = Conditions(self.workspace.id, row[1])
        conn.rollback()

    def uses_foreign_words(self, question: str, other: str) -> bool:
        """Whether the question has a word that several observations of the other project have, and none here."""
        there = find_workspace(self.conn, other)
        row = self.conn.execute(
            """
            SELECT bool_or(
              (SELECT count(*) FROM lightfast.observation_words w WHERE w.words @@ there.query) >= 5
              AND NOT EXISTS (SELECT FROM lightfast.observation_words w WHERE w.words @@ here.query))
            FROM unnest(lightfast.words_in(%s)) q
            CROSS JOIN LATERAL (SELECT (quote_literal(%s || ':' || q.lexeme))::tsquery) there (query)
            CROSS JOIN LATERAL (SELECT (quote_literal(%s || ':' || q.lexeme))::tsquery) here (query)
            """,
            (question, str(there.id), str(self.workspace.id)),
        ).fetchone()
        self.conn.rollback()
        return bool(row and row[0])

    def rank(self, question: str) -> Ranking:
        try:
            return rank(
                self.conn,
                self.workspace,
                question,
                embedder=self._embedder,
                now=self.now,
                filters=SearchFilters(),
                mode="balanced",
            )
        finally:
            self.conn.rollback()

    def ask(self, kind: str, question: str, relevant: frozenset[int]) -> Asked:
        import numpy as np

        ranking = self.rank(question)
        vector = self._embedder.embed([question])[0]
        asked = Asked(
            kind,
            question,
            relevant,
            list(ranking.ordered),
            np.array(features_of(ranking.ordered, self.now)).reshape(
                len(ranking.ordered), len(FEATURES)
            ),
            {path: list(scores) for path, scores in ranking.found.items()},
            ranking.meant.is_named,
        )
        asked.baselines["bm25"] = self._bm25.find(question)
        near = nearest(self.conn, self._all, vector, self._embedder.name, DEPTH)
        asked.baselines["vectors"] = list(near)
        self.conn.rollback()
        return asked
