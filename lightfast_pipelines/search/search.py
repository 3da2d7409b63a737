"""Answers a question about a workspace: runs all paths within their budgets, and ranks what they find."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import psycopg

from lightfast_pipelines.embedding.embedder import Embedder, plain_text
from lightfast_pipelines.search.answering import Page, answer
from lightfast_pipelines.search.conditions import Conditions
from lightfast_pipelines.search.cursor import Cursor, fingerprint, read_cursor
from lightfast_pipelines.search.memory_paths import of_clusters, of_entities, of_people
from lightfast_pipelines.search.ranked import Ranking
from lightfast_pipelines.search.ranking import (
    Candidate,
    confidence,
    fuse,
    gather,
    order_balanced,
    order_fast,
)
from lightfast_pipelines.search.resolving import Meant, identities_of_people, resolve
from lightfast_pipelines.search.results import (
    PATHS,
    Mode,
    PathName,
    PathReport,
    PathStatus,
    SearchFilters,
    SearchResults,
)
from lightfast_pipelines.search.text_path import TextMatch, WordSearch
from lightfast_pipelines.search.understanding import Understood, understand
from lightfast_pipelines.search.vector_path import nearest, similarities
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace

LONGEST_QUESTION = 10_000
MOST_HITS = 100
MOST_RANKED = 300
"""Results in a ranking: pages end there."""
_OF_EACH_PATH = 100
_VOTES = 20
BUDGETS: dict[PathName, int] = {
    "text": 1_000,
    "vectors": 1_000,
    "entities": 1_000,
    "people": 1_000,
    "clusters": 1_000,
}
"""Milliseconds after which a path is left out. Much more than a path takes: a guard, not a schedule."""


# Compiling or sharing a query takes longer than its few rows; and plans are read for estimates.
_SETTINGS = "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0"


# Of any other statement: a search that cannot answer says so, and does not wait for ever.
_MOST_MILLISECONDS = 10_000


class QuestionError(ValueError):
    """The question cannot be asked; the message says why."""


def search(  # noqa: PLR0913 - what a search consists of
    conn: Connection,
    workspace: Workspace,
    query: str,
    *,
    embedder: Embedder,
    now: datetime,
    filters: SearchFilters | None = None,
    mode: Mode = "balanced",
    limit: int = 10,
    cursor: str | None = None,
    zone: tzinfo = UTC,
    budgets: Mapping[PathName, int] = BUDGETS,
) -> SearchResults:
    """The hits of a page, the best first. Reads only, in one transaction, which it ends.

    Raises QuestionError, CursorError, or UnknownPersonError.
    """
    began = time.perf_counter()
    filters = filters or SearchFilters()
    if not query.strip():
        raise QuestionError("write what to look for")
    if len(query) > LONGEST_QUESTION:
        raise QuestionError(f"a question has at most {LONGEST_QUESTION:,} characters")
    if not 1 <= limit <= MOST_HITS:
        raise QuestionError(f"a page has 1 to {MOST_HITS} hits")
    question = fingerprint(workspace.id, query, filters, mode, str(zone))
    before = read_cursor(cursor, question) if cursor else None
    moment = before.moment if before else now
    try:
        ranking = rank(
            conn,
            workspace,
            query,
            embedder=embedder,
            now=moment,
            filters=filters,
            mode=mode,
            zone=zone,
            budgets=budgets,
            before=before,
        )
        return answer(
            conn,
            workspace,
            query,
            mode,
            ranking,
            Page(limit, before, question, moment),
            began=began,
        )
    finally:
        conn.rollback()


def rank(  # noqa: PLR0913 - what a search consists of
    conn: Connection,
    workspace: Workspace,
    query: str,
    *,
    embedder: Embedder,
    now: datetime,
    filters: SearchFilters,
    mode: Mode,
    zone: tzinfo = UTC,
    budgets: Mapping[PathName, int] = BUDGETS,
    before: Cursor | None = None,
) -> Ranking:
    """All results in order. Inside the caller's transaction."""
    conn.execute(_SETTINGS + f"; SET LOCAL statement_timeout = {_MOST_MILLISECONDS}")
    query = plain_text(query)
    understood = understand(query, now, zone)
    meant = resolve(conn, workspace, understood)
    conditions = _conditions(conn, workspace, filters, understood, meant, before)
    run = _Paths(conn, budgets)
    words: list[WordSearch] = []
    matches: dict[int, TextMatch] = {}
    vector: list[Any] = []

    def by_words() -> dict[int, float]:
        counts = before.counts if before else None
        asked = WordSearch(conn, conditions, understood.words, counts)
        matches.update(asked.find(_OF_EACH_PATH))
        words.append(asked)
        return {observation: match.score for observation, match in matches.items()}

    def by_vectors() -> dict[int, float]:
        made = embedder.embed([understood.words])[0]
        if not made.any():
            return {}
        near = nearest(conn, conditions, made, embedder.name, _OF_EACH_PATH)
        vector.append(made)
        return near

    run("text", by_words)
    run("vectors", by_vectors)
    if meant.entities:
        run("entities", lambda: of_entities(conn, conditions, meant.entities, _OF_EACH_PATH))
    if meant.people:
        run("people", lambda: of_people(conn, conditions, meant.people, _OF_EACH_PATH))
    votes = _votes(run.found)
    if votes:
        run("clusters", lambda: of_clusters(conn, conditions, votes, _OF_EACH_PATH))
    run.limit(_MOST_MILLISECONDS)
    candidates = gather(run.found)
    # The fast mode knows only what the paths said; of one that was late or failed, nothing more is asked.
    if mode == "balanced" and words:
        matches.update(words[0].match([each for each in candidates if each not in matches]))
    _note_words(candidates, matches)
    if mode == "balanced" and vector and candidates:
        _note_views(candidates, similarities(conn, vector[0], embedder.name, list(candidates)))
    else:
        near = run.found.get("vectors", {})
        _note_views(candidates, {each: {"text": near[each]} for each in near})
    _describe(conn, candidates, understood, meant)
    fuse(candidates)
    ordered = (order_fast if mode == "fast" else order_balanced)(candidates, now)
    return Ranking(
        conditions,
        understood,
        meant,
        run.all_reports(),
        ordered[:MOST_RANKED],
        confidence(ordered, is_named=meant.is_named),
        words[0].counts if words else {},
        run.found,
        _OF_EACH_PATH,
    )


def _conditions(
    conn: Connection,
    workspace: Workspace,
    filters: SearchFilters,
    understood: Understood,
    meant: Meant,
    before: Cursor | None,
) -> Conditions:
    if before is not None:
        until = before.until
    else:
        row = conn.execute(
            "SELECT coalesce(max(id), 0) FROM lightfast.observation_facts"
        ).fetchone()
        assert row is not None
        until = row[0]
    return Conditions(
        workspace.id,
        until,
        sources=filters.sources,
        types=filters.types,
        identities=identities_of_people(conn, workspace.org_id, filters.people)
        if filters.people
        else None,
        since=max(filter(None, (filters.since, meant.since)), default=None),
        before=min(filter(None, (filters.before, meant.before)), default=None),
        significance=filters.least_significance,
        as_known=filters.as_known,
        phrases=understood.phrases,
    )


class _Paths:
    """Runs paths one after the other, each within its budget; one that is late or fails is reported."""

    def __init__(self, conn: Connection, budgets: Mapping[PathName, int]) -> None:
        self._conn = conn
        self._budgets = budgets
        self.found: dict[PathName, dict[int, float]] = {}
        self._limit = 0
        self._reports: dict[PathName, PathReport] = {}

    def __call__(self, path: PathName, find: Callable[[], dict[int, float]]) -> None:
        began = time.perf_counter()
        status: PathStatus = "nothing"
        detail: str | None = None
        found: dict[int, float] = {}
        self.limit(self._budgets[path])
        try:
            with self._conn.transaction():
                found = find()
            status = "found" if found else "nothing"
        except psycopg.errors.QueryCanceled:
            status, detail = "late", f"not done within {self._budgets[path]} ms"
        except (
            psycopg.errors.DataError,
            psycopg.errors.InternalError,
            psycopg.errors.ProgrammingError,
            RuntimeError,
        ) as error:
            status, detail = "failed", str(error).partition("\n")[0]
        self.found[path] = found
        self._reports[path] = PathReport(
            path=path,
            status=status,
            count=len(found),
            milliseconds=round((time.perf_counter() - began) * 1000, 1),
            detail=detail,
        )

    def limit(self, milliseconds: int) -> None:
        """Ends a statement after this time; set only if it changes, as each setting is a round trip."""
        if milliseconds != self._limit:
            self._conn.execute(f"SET LOCAL statement_timeout = {int(milliseconds)}".encode())
            self._limit = milliseconds

    def all_reports(self) -> list[PathReport]:
        return [
            self._reports.get(path) or PathReport(path=path, status="not asked") for path in PATHS
        ]


def _votes(found: Mapping[PathName, Mapping[int, float]]) -> dict[int, float]:
    """The best hits of the other paths, which vote for their clusters."""
    candidates = gather(found)
    fuse(candidates)
    best = sorted(candidates.values(), key=lambda each: (-each.fused, -each.observation))
    return {each.observation: each.fused for each in best[:_VOTES] if each.fused > 0}


def _note_words(candidates: Mapping[int, Candidate], matches: Mapping[int, TextMatch]) -> None:
    for observation, match in matches.items():
        candidates[observation].text_score = match.score
        candidates[observation].coverage = match.coverage


def _note_views(
    candidates: Mapping[int, Candidate], views: Mapping[int, Mapping[str, float]]
) -> None:
    for observation, similarity in views.items():
        candidates[observation].similarities = similarity


def _describe(
    conn: Connection,
    candidates: Mapping[int, Candidate],
    understood: Understood,
    meant: Meant,
) -> None:
    """What all candidates are known by, whichever path found them."""
    things = {entity.key for entity in meant.entities}
    named = {identity for person in meant.people for identity in person.identities}
    rows = conn.execute(
        """
        SELECT f.id, f.significance_score, f.occurred_at, m.cluster_id, f.source, f.source_type,
               f.subject_key, f.author_identity_id, f.actor_identity_id
        FROM lightfast.observation_facts f
        LEFT JOIN lightfast.cluster_members m ON m.observation_id = f.id
        WHERE f.id = ANY(%s)
        """,
        (list(candidates),),
    )
    for observation, significance, occurred_at, cluster, *rest in rows:
        source, source_type, subject, *people = rest
        candidate = candidates[observation]
        candidate.cluster = cluster or ""
        thing, _, change = source_type.partition(".")
        candidate.significance = significance
        candidate.occurred_at = occurred_at
        candidate.is_preferred = (
            source in understood.providers
            or any(thing == each or thing.endswith(f"-{each}") for each in understood.things)
            or change in understood.states
        )
        candidate.is_about_named = subject in things
        candidate.is_by_named = any(person in named for person in people)
