"""Makes a page of the answer: hits with why they are there, true counts, and what the hits have in common."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import search_weights
from lightfast_pipelines.search.cursor import Cursor
from lightfast_pipelines.search.explaining import matched_spans, reason_of, snippet_of
from lightfast_pipelines.search.ranked import Ranking
from lightfast_pipelines.search.ranking import Candidate
from lightfast_pipelines.search.results import (
    Facet,
    FacetValue,
    Mode,
    PathRank,
    RelatedCluster,
    RelatedPerson,
    SearchHit,
    SearchResults,
    UnderstoodQuery,
)
from lightfast_pipelines.store.database import Connection, dict_rows
from lightfast_pipelines.store.linked_resources import Workspace

_CLUSTERS = 2
_PEOPLE = 3
_MOST_VALUES = 10


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the results is asked for: the first one, or what follows `before`."""

    limit: int
    before: Cursor | None
    question: str
    moment: datetime

    def next(self, position: int, last: str, ranking: Ranking) -> str:
        return Cursor(
            self.question,
            position,
            last,
            ranking.conditions.until,
            self.moment.isoformat(),
            ranking.counts,
        ).text()


def answer(
    conn: Connection,
    workspace: Workspace,
    query: str,
    mode: Mode,
    ranking: Ranking,
    page: Page,
    *,
    began: float,
) -> SearchResults:
    """The page of the results. `began` is when the question came, by the monotonic clock."""
    before, limit = page.before, page.limit
    is_answer = bool(ranking.ordered) and (
        before is not None or ranking.confidence >= search_weights.LEAST_CONFIDENCE
    )
    ordered = ranking.ordered if is_answer else []
    rows = _rows(conn, workspace, [each.observation for each in ordered])
    ordered = [each for each in ordered if each.observation in rows]
    start = _start(ordered, rows, before)
    shown = ordered[start : start + limit]
    contents = _contents(conn, [each.observation for each in shown])
    hits = [
        _hit(place, candidate, rows[candidate.observation], contents, ranking)
        for place, candidate in enumerate(shown, start + 1)
    ]
    is_last = start + limit >= len(ordered)
    return SearchResults(
        query=query,
        mode=mode,
        understood=_understood(ranking),
        hits=tuple(hits),
        total=len(ordered),
        is_cut=any(report.count >= ranking.of_each_path for report in ranking.reports),
        nothing_found=None if is_answer else _why_nothing(ranking),
        confidence=round(ranking.confidence, 3),
        facets=_facets([rows[each.observation] for each in ordered]),
        clusters=_clusters(conn, hits),
        people=_people([rows[each.observation] for each in shown]),
        paths=tuple(ranking.reports),
        next_cursor=None if is_last else page.next(start + limit, hits[-1].id, ranking),
        milliseconds=round((time.perf_counter() - began) * 1000, 1),
    )


def _rows(
    conn: Connection, workspace: Workspace, observations: Sequence[int]
) -> dict[int, dict[str, Any]]:
    rows = dict_rows(
        conn,
        """
        SELECT f.id, f.external_id, f.title, f.source, f.source_type, f.occurred_at, f.subject_key,
               e.url, coalesce(author.actor_id, doer.actor_id) AS person_id,
               coalesce(a.display_name, author.source_name, author.source_username) AS author,
               coalesce(d.display_name, doer.source_name, doer.source_username) AS actor,
               m.thread_key, m.cluster_id
        FROM lightfast.observation_facts f
        LEFT JOIN lightfast.entities e ON e.workspace_id = f.workspace_id AND e.key = f.subject_key
        LEFT JOIN lightfast.actor_identities author ON author.id = f.author_identity_id
        LEFT JOIN lightfast.actor_identities doer ON doer.id = f.actor_identity_id
        LEFT JOIN lightfast.actors a ON a.id = author.actor_id
        LEFT JOIN lightfast.actors d ON d.id = doer.actor_id
        LEFT JOIN lightfast.cluster_members m ON m.observation_id = f.id
        WHERE f.id = ANY(%s) AND f.workspace_id = %s AND NOT f.is_deleted
        """,
        (list(observations), workspace.id),
    )
    return {row["id"]: {**row, "person": row["author"] or row["actor"]} for row in rows}


def _contents(conn: Connection, observations: Sequence[int]) -> dict[int, str]:
    rows = conn.execute(
        "SELECT id, content FROM lightfast.observation_facts WHERE id = ANY(%s)",
        (list(observations),),
    )
    return dict(rows.fetchall())


def _start(
    ordered: Sequence[Candidate], rows: Mapping[int, Mapping[str, Any]], before: Cursor | None
) -> int:
    """After the last hit of the page before, wherever deletions have moved it."""
    if before is None:
        return 0
    for place, candidate in enumerate(ordered, 1):
        if rows[candidate.observation]["external_id"] == before.last:
            return place
    return before.position


def _hit(
    place: int,
    candidate: Candidate,
    row: Mapping[str, Any],
    contents: Mapping[int, str],
    ranking: Ranking,
) -> SearchHit:
    words = ranking.understood.words
    snippet = snippet_of(contents.get(candidate.observation, ""), words, ranking.understood.phrases)
    return SearchHit(
        id=row["external_id"],
        rank=place,
        score=round(candidate.final, 4),
        title=row["title"],
        snippet=snippet,
        source=row["source"],
        type=row["source_type"],
        occurred_at=row["occurred_at"],
        subject=row["subject_key"],
        url=row["url"],
        author=row["author"],
        actor=row["actor"],
        thread=row["thread_key"],
        cluster=row["cluster_id"],
        paths=tuple(
            PathRank(path=path, rank=rank, score=round(candidate.scores[path], 4))
            for path, rank in candidate.ranks.items()
        ),
        spans=(
            *matched_spans("title", row["title"], words),
            *matched_spans("snippet", snippet, words),
        ),
        reason=reason_of(candidate, row, ranking),
    )


def _understood(ranking: Ranking) -> UnderstoodQuery:
    said, meant = ranking.understood, ranking.meant
    return UnderstoodQuery(
        words=said.words,
        things=tuple(entity.key for entity in meant.entities),
        people=tuple(dict.fromkeys(person.name for person in meant.people)),
        phrases=said.phrases,
        providers=said.providers,
        types=said.things,
        states=said.states,
        times=said.times,
        since=ranking.conditions.since,
        before=ranking.conditions.before,
        unknown=meant.unknown,
    )


def _why_nothing(ranking: Ranking) -> str:
    if ranking.ordered:
        return (
            "nothing fits well enough: the closest has too little in common with the question "
            f"(confidence {ranking.confidence:.2f}, an answer needs {search_weights.LEAST_CONFIDENCE:.2f})"
        )
    absent = [report.path for report in ranking.reports if report.status in {"late", "failed"}]
    if absent:
        return f"nothing was found, but {' and '.join(absent)} could not be searched"
    if ranking.conditions.is_restricted:
        return "nothing that meets the filters and times has anything in common with the question"
    return "nothing has anything in common with the question"


def _facets(rows: Sequence[Mapping[str, Any]]) -> tuple[Facet, ...]:
    columns = (("source", "source"), ("type", "source_type"), ("person", "person"))
    facets = []
    for name, column in columns:
        counts = Counter(row[column] for row in rows if row[column])
        values = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_VALUES]
        facets.append(
            Facet(
                name=name,
                values=tuple(FacetValue(value=value, count=count) for value, count in values),
            )
        )
    return tuple(facets)


def _clusters(conn: Connection, hits: Sequence[SearchHit]) -> tuple[RelatedCluster, ...]:
    counts = Counter(hit.cluster for hit in hits if hit.cluster)
    rows = conn.execute(
        """
        SELECT id, topic_label, summary, observation_count FROM lightfast.clusters
        WHERE id = ANY(%s) AND observation_count > 1
        """,
        (list(counts),),
    ).fetchall()
    rows.sort(key=lambda row: (-counts[row[0]], row[0]))
    return tuple(
        RelatedCluster(
            id=row[0], topic=row[1], summary=row[2], observations=row[3], hits=counts[row[0]]
        )
        for row in rows[:_CLUSTERS]
    )


def _people(rows: Sequence[Mapping[str, Any]]) -> tuple[RelatedPerson, ...]:
    counts = Counter(
        (row["person_id"], row["person"]) for row in rows if row["person_id"] and row["person"]
    )
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_PEOPLE]
    return tuple(RelatedPerson(id=actor, name=name, hits=hits) for (actor, name), hits in best)
