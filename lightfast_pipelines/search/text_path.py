"""Finds observations by their words: candidates that share the rarest words, weighed as by BM25.

How many observations have a word is the planner's estimate for frequent words, which costs nothing to
keep, and counted for others. So a search reads a bounded number of rows, however long the history is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from psycopg import sql

from lightfast_pipelines.search.conditions import (
    ALLOWED,
    Conditions,
    lexeme_of,
    month_number,
    name_of_month,
)
from lightfast_pipelines.store.database import Connection

# Words of a question that are looked at: the first ones of a long text say what it is about.
_MOST_WORDS = 40
# Words that weigh; the rarest.
_MOST_WEIGHED = 16
# Observations that are weighed: each costs a microsecond a word.
_MOST_CANDIDATES = 1_500
# Up to so many, observations with a word are counted; the planner's estimate is good enough beyond.
_COUNTED = 5_000
# Frequent words whose pairs are looked for.
_MOST_COMMON = 5
# What has only frequent words is looked for in so many months, then in more.
_MONTHS = (1, 6, 24)
_SHORTEST_PREFIX = 4
# Weights of letters D to A: words of the content, and of the title.
_FIELDS = "{0.6,0.6,0.6,1.0}"
# Of BM25: how much longer texts are held back, and the length that is not.
_B = 0.17
_USUAL_LENGTH = 20


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of the question as the index has it, and how much it tells."""

    lexeme: str
    count: int
    idf: float


@dataclass(frozen=True, slots=True)
class TextMatch:
    """How well the words of an observation fit: a score, and the share of the question they cover."""

    score: float
    coverage: float


class WordSearch:
    """The words of one question in one workspace. Counts of an earlier page make the same ranking."""

    def __init__(
        self,
        conn: Connection,
        conditions: Conditions,
        question: str,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._conn = conn
        self._conditions = conditions
        lexemes = _words_of(conn, question, conditions.workspace)
        self.counts = dict(counts) if counts is not None else self._count(lexemes)
        total = max(self.counts.get("", 0), *self.counts.values(), 1)
        words = [
            QueryWord(lexeme, self.counts.get(lexeme, 0), _idf(self.counts.get(lexeme, 0), total))
            for lexeme in lexemes
        ]
        words.sort(key=lambda word: (word.count, word.lexeme))
        self.known = [word for word in words if word.count][:_MOST_WEIGHED]
        unknown = [word for word in words if not word.count]
        self.idf_of_all = sum(word.idf for word in (*self.known, *unknown[:_MOST_WEIGHED]))
        """What a text would have that holds all of them, also those that no observation has."""

    def find(self, limit: int) -> dict[int, TextMatch]:
        """The observations that fit best, the best first.

        All that have a rare word are weighed. What has only frequent words has at least two of them, and
        of these the latest are weighed, as far as there is room.
        """
        rare: list[str] = []
        room = _MOST_CANDIDATES
        for word in self.known:
            if word.count > room:
                break
            rare.append(word.lexeme)
            room -= word.count
        found = self._having(" | ".join(rare), limit, _MOST_CANDIDATES) if rare else {}
        common = [word.lexeme for word in self.known[len(rare) : len(rare) + _MOST_COMMON]]
        if common and (room or not rare):
            pairs = [f"({one} & {other})" for one, other in combinations(common, 2)] or common
            for months in self._recent(self.known[len(rare)].count):
                more = self._having(" | ".join(pairs), limit, max(room, limit), months)
                if len(more) >= limit:
                    break
            found = {**found, **more}
        best = sorted(found.items(), key=lambda item: (-item[1].score, -item[0]))
        return dict(best[:limit])

    def _having(
        self, words: str, limit: int, most: int, months: Sequence[str] = ()
    ) -> dict[int, TextMatch]:
        """The best of at most `most` observations that meet this query of words."""
        groups = [f"({words})", *self._conditions.marks()]
        if months:
            groups.append("(" + " | ".join(months) + ")")
        condition = sql.SQL("w.words @@ {query}::tsquery").format(
            query=sql.Literal(" & ".join(groups))
        )
        return self._weigh(condition, limit, most)

    def _recent(self, count: int) -> list[list[str]]:
        """Marks of the latest months to try, a few at first; one try without any where all are few."""
        if count <= _COUNTED:
            return [[]]
        row = self._conn.execute(
            """
            SELECT occurred_at FROM lightfast.observation_facts
            WHERE workspace_id = %s ORDER BY workspace_id DESC, occurred_at DESC LIMIT 1
            """,
            (self._conditions.workspace,),
        ).fetchone()
        if row is None:
            return [[]]
        last = month_number(row[0])
        marks = [
            lexeme_of(self._conditions.workspace, f"@{name_of_month(month)}")
            for month in range(last, last - max(_MONTHS), -1)
        ]
        return [*(marks[:count] for count in _MONTHS), []]

    def match(self, observations: Sequence[int]) -> dict[int, TextMatch]:
        """How well these observations fit, which other paths found."""
        if not self.known or not observations:
            return {}
        return self._weigh(
            sql.SQL("w.observation_id = ANY({ids})").format(ids=sql.Literal(list(observations))),
            len(observations),
            len(observations),
        )

    def _weigh(self, condition: sql.Composed, limit: int, most: int) -> dict[int, TextMatch]:
        ranks = [
            sql.SQL("{idf} * ts_rank({fields}, c.words, {word}::tsquery)").format(
                idf=sql.Literal(word.idf),
                fields=sql.Literal(_FIELDS),
                word=sql.Literal(word.lexeme),
            )
            for word in self.known
        ]
        held = [
            sql.SQL("CASE WHEN b.words @@ {word}::tsquery THEN {idf} ELSE 0 END").format(
                idf=sql.Literal(word.idf), word=sql.Literal(word.lexeme)
            )
            for word in self.known
        ]
        query = sql.SQL(
            """
            WITH candidates AS MATERIALIZED (
              SELECT w.observation_id, w.words FROM lightfast.observation_words w
              WHERE {condition} AND w.workspace_id = %(workspace)s AND w.observation_id <= %(until)s
              LIMIT {most}
            ), best AS MATERIALIZED (
              SELECT c.observation_id, c.words,
                     ({ranks}) / ({a} + {b} * least(length(c.words), 200) / {usual}) AS score
              FROM candidates c {joined}
              ORDER BY 3 DESC, 1 DESC LIMIT %(limit)s
            )
            SELECT b.observation_id, b.score, {held} FROM best b ORDER BY 2 DESC, 1 DESC
            """
        ).format(
            condition=condition,
            most=sql.Literal(most),
            ranks=sql.SQL(" + ").join(ranks),
            held=sql.SQL(" + ").join(held),
            a=sql.Literal(1 - _B),
            b=sql.Literal(_B),
            usual=sql.Literal(float(_USUAL_LENGTH)),
            joined=sql.SQL(
                "JOIN lightfast.observation_facts f ON f.id = c.observation_id WHERE " + ALLOWED
            )
            if self._conditions.is_restricted
            else sql.SQL(""),
        )
        rows = self._conn.execute(query, {**self._conditions.parameters, "limit": limit})
        return {
            observation: TextMatch(float(score), float(idf) / self.idf_of_all)
            for observation, score, idf in rows
        }

    def _count(self, lexemes: Sequence[str]) -> dict[str, int]:
        """How many observations have each word; the entry of the empty word is all of them."""
        every = lexeme_of(self._conditions.workspace, "@")
        estimates = self._estimates([*lexemes, every])
        frequent = {lexeme for lexeme, rows in estimates.items() if rows > _COUNTED}
        asked = [lexeme for lexeme in estimates if lexeme not in frequent]
        rows = self._conn.execute(
            """
            SELECT q, (SELECT count(*) FROM lightfast.observation_words WHERE words @@ q::tsquery)
            FROM unnest(%s::text[]) q
            """,
            (asked,),
        )
        counts = {lexeme: estimates[lexeme] for lexeme in frequent}
        counts.update(dict(rows.fetchall()))
        counts[""] = counts.pop(every)
        return counts

    def _estimates(self, lexemes: Sequence[str]) -> dict[str, int]:
        conditions = (sql.SQL("words @@ {}::tsquery").format(sql.Literal(each)) for each in lexemes)
        query = sql.SQL("EXPLAIN (FORMAT JSON) ") + sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT FROM lightfast.observation_words WHERE ") + each for each in conditions
        )
        row = self._conn.execute(query).fetchone()
        assert row is not None
        plan: dict[str, Any] = row[0][0]["Plan"]
        plans = plan["Plans"] if len(lexemes) > 1 else [plan]
        return {lexeme: int(each["Plan Rows"]) for lexeme, each in zip(lexemes, plans, strict=True)}


def _words_of(conn: Connection, question: str, workspace: int) -> list[str]:
    """The words of the question as the index has them, in its order. `auth*` stands for what begins so."""
    rows = conn.execute(
        """
        SELECT lexeme FROM unnest(lightfast.words_in(left(%s, 4000)))
        ORDER BY positions[1], lexeme LIMIT %s
        """,
        (question, _MOST_WORDS),
    ).fetchall()
    beginnings = {
        part[:-1].lower()
        for part in question.split()
        if part.endswith("*") and part[:-1].isalnum() and len(part) > _SHORTEST_PREFIX
    }
    words = [lexeme_of(workspace, lexeme) for (lexeme,) in rows]
    return [*words, *(lexeme_of(workspace, each) + ":*" for each in sorted(beginnings))]


def _idf(count: int, total: int) -> float:
    return math.log(1 + (max(total - count, 0) + 0.5) / (count + 0.5))
